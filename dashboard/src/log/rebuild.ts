// The next view, built in slices beside the one on screen: filtering 100,000 rows drops no frame.

import type { RowList, RowListOptions } from './row-list.ts';

/** What a slice may take of one frame. */
const SLICE_MS = 4;

export class Rebuild {
  #view: RowList | undefined;
  #started = 0;
  #whenDone: (() => void)[] = [];

  /** What the view that is being built shows. */
  get options(): RowListOptions | undefined {
    return this.#view?.options;
  }

  /** One that is under way is given up. */
  begin(view: RowList): void {
    this.#view = view;
    this.#started = performance.now();
  }

  cancel(): void {
    this.#view = undefined;
  }

  /** Goes on for a slice; gives the view where it is whole by then. */
  step(): { whole?: RowList; more: boolean } {
    const view = this.#view;
    if (!view) return { more: false };
    if (!view.catchUp(performance.now() + SLICE_MS)) return { more: true };
    this.#view = undefined;
    performance.clearMeasures('rebuild');
    performance.measure('rebuild', { start: this.#started });
    return { whole: view, more: false };
  }

  /** Calls back when every rebuild asked for so far is on screen. */
  whenDone(then: () => void): void {
    this.#whenDone.push(then);
  }

  /** The frame has been painted. */
  painted(): void {
    if (!this.#view) for (const then of this.#whenDone.splice(0)) then();
  }
}
