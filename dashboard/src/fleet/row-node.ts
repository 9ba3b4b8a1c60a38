// A row of the fleet in the DOM: one for a source in sight, whatever place it stands at. Only cells whose text has changed are written.
import { setText } from '../pictures/set-text.ts';
import { visible } from '../pictures/words.ts';
import { COLUMNS } from './columns.ts';
import type { FleetRow } from './model.ts';

export class FleetRowNode {
  readonly element = document.createElement('div');
  row: FleetRow;
  readonly #cells: readonly HTMLElement[];
  readonly #texts: readonly Text[];
  readonly #words: Text;
  readonly #place: Text;
  #isPlaced = false;

  constructor(row: FleetRow) {
    this.row = row;
    this.element.role = 'row';
    this.element.className = 'row';
    this.#cells = COLUMNS.map(({ key }, i) => {
      const cell = this.element.appendChild(document.createElement('span'));
      cell.role = i === 0 ? 'rowheader' : 'gridcell';
      cell.tabIndex = -1;
      cell.dataset.column = key;
      return cell;
    });
    const last = this.#cells[COLUMNS.findIndex(({ key }) => key === 'last')] as HTMLElement;
    const words = last.appendChild(document.createElement('b'));
    this.#words = words.appendChild(document.createTextNode(''));
    this.#texts = this.#cells.map((cell, i) => {
      // Words of others may run from right to left; figures do not.
      const holder = COLUMNS[i]?.isForeign ? cell.appendChild(document.createElement('bdi')) : cell;
      return holder.appendChild(document.createTextNode(''));
    });
    const place = (this.#cells[0] as HTMLElement).appendChild(document.createElement('bdi'));
    place.className = 'dim';
    this.#place = place.appendChild(document.createTextNode(''));
    this.show(row);
  }

  /** Where the row stands among those of its host or service, it does not say which that is. */
  placeIn(isPlaced: boolean): void {
    this.#isPlaced = isPlaced;
    this.element.classList.toggle('in', isPlaced);
    this.#showPlace();
  }

  /** Whether it is one of the two that are compared. */
  mark(isMarked: boolean): void {
    this.element.ariaSelected = String(isMarked);
  }

  show(row: FleetRow): void {
    this.row = row;
    for (const [i, { text, tone }] of COLUMNS.entries()) {
      setText(this.#texts[i], text(row));
      const cell = this.#cells[i];
      const name = tone?.(row) ?? '';
      if (cell && cell.className !== name) cell.className = name;
    }
    this.#showPlace();
    const { tone: howBad, words } = row.trouble;
    setText(this.#words, words === '' ? '' : `${words} · `);
    const level = howBad || 'dim';
    const holder = this.#words.parentElement;
    if (holder && holder.className !== level) holder.className = level;
  }

  #showPlace(): void {
    const { group } = this.row;
    setText(this.#place, this.#isPlaced || group === undefined ? '' : ` ${visible(group)}`);
  }
}
