// The actions on the row under the cursor: move to another row, open its detail, show the entries that are folded in it.
import { type Item, rowOf } from './log/item.ts';
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
    const row = item.kind === 'fold' ? item.shown : item;
    const wasOpen = opened.value === item;
    this.select(item);
    opened.value = wasOpen ? undefined : item;
    if (row.id !== undefined) updateView({ at: opened.value ? row.id : '' }, 'replace');
  }

  /** Moves the cursor to an item. When a detail is open, it shows the new item. */
  select(item: Item): void {
    const row = rowOf(item);
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

  /** What folds an entry with others, for `unfolded`. */
  keyOf(row: EntryRow): string {
    return this.#viewport.rows.foldKeyOf(row) ?? '';
  }

  /** Shows the entries of a fold one by one, or folds them again; the detail of a row that was never folded. */
  toggleFold(): void {
    const { rows } = this.#viewport;
    const item = rows.get(this.#viewport.current());
    const row = item && rowOf(item);
    const key = row?.kind === 'entry' ? this.keyOf(row) : '';
    if (item && item.kind !== 'fold' && !unfolded.value.has(key)) {
      this.open(item);
      return;
    }
    this.#viewport.hold();
    const keys = new Set(unfolded.value);
    if (!keys.delete(key)) keys.add(key);
    unfolded.value = keys;
    this.#viewport.rebuild({ unfolded: keys });
  }
}
