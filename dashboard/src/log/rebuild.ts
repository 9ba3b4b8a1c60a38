// Builds the next list in slices of a few milliseconds while the list before stays on screen, so that filtering 100,000
// rows drops no frame.

import type { RowList, RowListOptions } from './row-list.ts';

/** Time of one slice, of the 16 ms of a frame. */
const SLICE_MS = 4;

export class Rebuild {
  #list: RowList | undefined;
  #started = 0;
  #whenDone: (() => void)[] = [];

  /** The options of the list that is being built. */
  get options(): RowListOptions | undefined {
    return this.#list?.options;
  }

  /** Starts to build a list. If another one is being built, that one is dropped. */
  begin(list: RowList): void {
    this.#list = list;
    this.#started = performance.now();
  }

  cancel(): void {
    this.#list = undefined;
  }

  /** Builds for one slice; gives the list when it is complete, and `more` when it is not. */
  step(): { complete?: RowList; more: boolean } {
    const list = this.#list;
    if (!list) return { more: false };
    if (!list.catchUp(performance.now() + SLICE_MS)) return { more: true };
    this.#list = undefined;
    performance.clearMeasures('rebuild');
    performance.measure('rebuild', { start: this.#started });
    return { complete: list, more: false };
  }

  /** Calls `then` when all rebuilds started so far are on screen. */
  whenDone(then: () => void): void {
    this.#whenDone.push(then);
  }

  /** To call after each frame was painted. */
  onPainted(): void {
    if (!this.#list) for (const then of this.#whenDone.splice(0)) then();
  }
}
