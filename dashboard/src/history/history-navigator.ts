// Goes to older entries: the entry that a link names, a range of time, an export. The modules that do this are loaded when they are
// first used.
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { cursorRow, showNotice, updateView, viewState } from '../state/store.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';

const exportModule = lazyModule(() => import('./export.ts'), noticeMissing('the export'));
const rangeModule = lazyModule(() => import('./range.ts'), noticeMissing('the history'));

/** The time that is fetched before and after an entry that a link names. */
const AROUND_MS = 5_000;

export class HistoryNavigator {
  readonly #session: Session;
  readonly #viewport: Viewport;

  constructor(session: Session, viewport: Viewport) {
    this.#session = session;
    this.#viewport = viewport;
  }

  /**
   * Shows only a range of time, and fetches the entries of that range which the page lacks. With `reveal`, goes to that row
   * and clears the filter.
   */
  showRange(from: number, to: number, reveal?: Row): void {
    updateView({ range: { from, to }, ...(reveal && { q: '', level: '' }) });
    if (reveal) cursorRow.value = reveal;
    this.#viewport.hold();
    this.#fetchRange(from, to)
      .then(() => {
        this.#viewport.whenBuilt(() => (reveal ? this.#viewport.reveal(reveal) : this.#viewport.top()));
      })
      .catch(reportError);
  }

  /** Goes to the entry that the link names. If the page does not have it, the entries around it are fetched first. */
  goToLink(show: (row: EntryRow) => void): void {
    this.#goToLink(show).catch(reportError);
  }

  async #goToLink(show: (row: EntryRow) => void): Promise<void> {
    const { at, range } = viewState.value;
    if (range) await this.#fetchRange(range.from, range.to);
    if (at === '') return;
    const ms = Number.parseInt(at, 10);
    if (!this.#find(at) && ms > 0) await this.#fetchRange(ms - AROUND_MS, ms + AROUND_MS);
    const row = this.#find(at);
    // Rows that were just fetched are in the list after the next rebuild.
    if (row) this.#viewport.whenBuilt(() => show(row));
    else showNotice('the entry of this link is no longer in the log');
  }

  /**
   * Exports what is shown or, if a range is chosen, all entries of that range from the gateway: NDJSON with UTC times.
   */
  export(): void {
    this.#noticeFailure(async () => {
      const loaded = await exportModule();
      await loaded?.exportLines(this.#session, this.#viewport.rows, viewState.value.range);
    }).catch(reportError);
  }

  #find(id: string): EntryRow | undefined {
    const { buffer } = this.#session;
    for (let place = buffer.end - 1; place >= buffer.first; place--) {
      const row = buffer.get(place);
      if (row?.kind === 'entry' && row.id === id) return row;
    }
    return undefined;
  }

  #fetchRange(from: number, to: number): Promise<void> {
    return this.#noticeFailure(async () => {
      const loaded = await rangeModule();
      await loaded?.fetchRange(this.#session, from, to);
    });
  }

  /** Shows a failure as a notice, in the server's words if there are any. */
  async #noticeFailure(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      showNotice(error instanceof Error ? error.message : 'that failed');
    }
  }
}
