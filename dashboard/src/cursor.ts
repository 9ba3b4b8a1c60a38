// The actions on the row under the cursor: move to another row, open its detail, expand its fold.
import { firstOf, type Item } from './log/item.ts';
import type { Viewport } from './log/viewport.ts';
import { cursorRow, opened, sincePrevious, unfolded, updateView } from './state/store.ts';
import type { EntryRow } from './stream/row.ts';

export class Cursor {
  readonly #viewport: Viewport;

  constructor(viewport: Viewport) {
    this.#viewport = viewport;
  }

  /** Opens the detail of an item, or closes it when it is open already. */
  open(item: Item): void {
    if (item.kind === 'gap' || item.kind === 'mark') return;
    const row = item.kind === 'fold' ? item.first : item;
    const wasOpen = opened.value === item;
    this.select(item);
    opened.value = wasOpen ? undefined : item;
    if (row.id !== undefined) updateView({ at: opened.value ? row.id : '' }, 'replace');
  }

  /** Moves the cursor to an item. When a detail is open, it shows the new item. */
  select(item: Item): void {
    const row = firstOf(item);
    cursorRow.value = row;
    this.#viewport.reveal(row, true);
    const place = this.#viewport.rows.placeOfRow(row);
    const before = this.#viewport.rows.get(place - 1);
    sincePrevious.value = before && item.time - before.time;
    if (opened.value && (item.kind === 'entry' || item.kind === 'fold')) {
      opened.value = item;
      if (row.kind === 'entry' && row.id !== undefined) updateView({ at: row.id }, 'replace');
    }
  }

  /** Moves the cursor to an entry and opens its detail. */
  show(row: EntryRow): void {
    this.select(row);
    opened.value = row;
  }

  close(): void {
    opened.value = undefined;
    updateView({ at: '' }, 'replace');
    this.#viewport.scroller.focus({ preventScroll: true });
  }

  toggleFold(): void {
    const row = cursorRow.value;
    const item = this.#viewport.rows.get(this.#viewport.current());
    const generation = row?.kind === 'entry' && row.tokens > 0 ? row.generation : undefined;
    const key = generation ?? (item?.kind === 'fold' ? item.key : undefined);
    if (key === undefined) {
      if (item) this.open(item);
      return;
    }
    this.#viewport.hold();
    const keys = new Set(unfolded.value);
    if (!keys.delete(key)) keys.add(key);
    unfolded.value = keys;
    this.#viewport.rebuild({ unfolded: keys });
  }
}
