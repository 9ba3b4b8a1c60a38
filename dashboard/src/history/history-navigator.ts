// Goes to older entries: the entry that a link names, a range of time, an export. The modules that do this are loaded when they are
// first used.
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';

const exportModule = lazyModule(() => import('./export.ts'), noticeMissing('the export'));
const olderModule = lazyModule(() => import('./older.ts'), noticeMissing('the history'));

export class HistoryNavigator {
  readonly #place: { session: Session; viewport: Viewport };

  constructor(session: Session, viewport: Viewport) {
    this.#place = { session, viewport };
  }

  /**
   * Shows only a range of time, and fetches the entries of that range which the page lacks. With `reveal`, goes to that row
   * and clears the filter.
   */
  showRange(from: number, to: number, reveal?: Row): void {
    olderModule()
      .then((loaded) => loaded?.showRange(this.#place, from, to, reveal))
      .catch(reportError);
  }

  /** Goes to the entry or the range that the link names, if it names one. */
  goToLink(show: (row: EntryRow) => void): void {
    const { at, range } = viewState.value;
    if (at === '' && !range) return;
    olderModule()
      .then((loaded) => loaded?.goToLink(this.#place, show))
      .catch(reportError);
  }

  /**
   * Exports what is shown or, if a range is chosen, all entries of that range from the gateway: NDJSON with UTC times.
   */
  export(): void {
    const { session, viewport } = this.#place;
    exportModule()
      .then((loaded) => loaded?.exportLines(session, viewport.rows, viewState.value.range))
      .catch(reportError);
  }
}
