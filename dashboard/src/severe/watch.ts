// Keeps what stands out up to date: the count in the bottom line, the marks beside the scrollbar, the tab's title while it is hidden.
import { signal } from '@preact/signals';
import type { Cursor } from '../cursor.ts';
import type { Viewport } from '../log/viewport.ts';
import { severe } from '../state/severe.ts';
import { showNotice } from '../state/store.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import '../../styles/severe.css';
import { countOf } from './count.tsx';
import { Minimap } from './minimap.ts';
import { showInTitle } from './page-title.ts';
import { type Counts, SevereScan } from './scan.ts';

const EVERY_MS = 250;
const SLICE_MS = 8;
/** In a hidden page, browsers let timers wait for up to a minute: an error that comes makes it count, too, at most this often. */
const HIDDEN_EVERY_MS = 1_000;

export interface SevereContext {
  session: Pick<Session, 'buffer'>;
  viewport: Pick<Viewport, 'rows' | 'scroller'>;
  cursor: Pick<Cursor, 'select'>;
  onEntry(listener: (row: EntryRow) => void): void;
}

export class SevereWatch {
  readonly #cursor: SevereContext['cursor'];
  readonly #scan: SevereScan;
  readonly #minimap: Minimap;
  readonly #counts = signal<Counts>({ errors: 0, warnings: 0, isPartial: false });
  readonly #whileHidden = signal(0);
  /** The last row that was counted before the page was hidden; undefined while it is not. */
  #hiddenAfter: { row: Row | undefined } | undefined;
  #countedAt = 0;

  /** The marks go into `stage`, which the log fills. */
  constructor({ session, viewport, cursor, onEntry }: SevereContext, stage: Element) {
    this.#cursor = cursor;
    this.#scan = new SevereScan(session.buffer, () => viewport.rows);
    this.#minimap = new Minimap(this.#scan, viewport, (row) => cursor.select(row));
    stage.append(this.#minimap.element);
    showInTitle(this.#whileHidden);
    const look = () => this.#look();
    severe.value = { Count: countOf(this.#counts, look), look };
    setInterval(() => this.#count(), EVERY_MS);
    onEntry((row) => {
      if (row.level >= 4 && document.hidden && Date.now() - this.#countedAt >= HIDDEN_EVERY_MS) this.#count();
    });
    const onVisibility = () => this.#onVisibility();
    document.addEventListener('visibilitychange', onVisibility);
    onVisibility();
  }

  #count(): void {
    this.#countedAt = Date.now();
    const counts = this.#scan.count(performance.now() + SLICE_MS);
    if (!counts) return;
    const { errors, warnings, isPartial } = this.#counts.peek();
    if (counts.errors !== errors || counts.warnings !== warnings || counts.isPartial !== isPartial)
      this.#counts.value = counts;
    if (this.#hiddenAfter) this.#whileHidden.value = this.#scan.countAfter(this.#hiddenAfter.row).errors;
    else this.#minimap.draw();
  }

  #onVisibility(): void {
    this.#count();
    this.#hiddenAfter = document.hidden ? { row: this.#scan.last } : undefined;
    if (!this.#hiddenAfter) this.#whileHidden.value = 0;
  }

  #look(): void {
    this.#count();
    const first = this.#scan.firstUnseen;
    this.#scan.look();
    this.#count();
    if (first) this.#cursor.select(first);
    else showNotice('no error and no warning since you last looked');
  }
}
