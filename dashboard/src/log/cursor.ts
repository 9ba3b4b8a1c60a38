// What the reader does with the row under the cursor: go to another, open its detail, expand its fold.
import { opened, sincePrevious, update } from '../state/store.ts';
import type { EntryRow } from '../stream/row.ts';
import { firstOf, type Item } from './row-list.ts';
import type { Viewport } from './viewport.ts';

export class Cursor {
  readonly #viewport: Viewport;
  /** Generations that are shown entry by entry; the view reads it. */
  readonly #unfolded: Set<string>;

  constructor(viewport: Viewport, unfolded: Set<string>) {
    this.#viewport = viewport;
    this.#unfolded = unfolded;
  }

  /** Opens the detail of an item, or closes it where it is open. */
  open(item: Item): void {
    if (item.kind === 'gap' || item.kind === 'mark') return;
    const row = item.kind === 'fold' ? item.first : item;
    const wasOpen = opened.value === item;
    this.select(item);
    opened.value = wasOpen ? undefined : item;
    if (row.id !== undefined) update({ at: opened.value ? row.id : '' }, 'replace');
  }

  /** Moves the cursor to an item; an open detail moves along. */
  select(item: Item): void {
    const row = firstOf(item);
    this.#viewport.cursor = row;
    this.#viewport.reveal(row, true);
    const place = this.#viewport.rows.placeOfRow(row);
    const before = this.#viewport.rows.get(place - 1);
    sincePrevious.value = before && item.time - before.time;
    if (opened.value && (item.kind === 'entry' || item.kind === 'fold')) {
      opened.value = item;
      if (row.kind === 'entry' && row.id !== undefined) update({ at: row.id }, 'replace');
    }
  }

  /** Goes to an entry and opens its detail. */
  show(row: EntryRow): void {
    this.select(row);
    opened.value = row;
  }

  close(): void {
    opened.value = undefined;
    update({ at: '' }, 'replace');
    this.#viewport.scroller.focus({ preventScroll: true });
  }

  toggleFold(): void {
    const { cursor } = this.#viewport;
    const place = this.#viewport.current();
    const item = this.#viewport.rows.get(place);
    const cursorKey = cursor?.kind === 'entry' && cursor.tokens > 0 ? cursor.generation : undefined;
    const key = cursorKey ?? (item?.kind === 'fold' ? item.key : undefined);
    if (key === undefined) {
      if (item) this.open(item);
      return;
    }
    this.#viewport.hold();
    if (!this.#unfolded.delete(key)) this.#unfolded.add(key);
    this.#viewport.rebuild();
  }
}
