// The list of completions under the filter's input: loaded when the reader first types there. A list that was asked for before
// the last key is never shown.
import { signal } from '@preact/signals';
import { type Completion, complete } from '../log/completion.ts';
import type { LogBuffer } from '../stream/buffer.ts';
import '../../styles/completions.css';

export class Completions {
  readonly offered = signal<readonly string[]>([]);
  /** The index of the value that the arrow keys chose; -1 for none. */
  readonly chosen = signal(-1);
  readonly #field: HTMLInputElement;
  readonly #buffer: LogBuffer;
  #replaced: Pick<Completion, 'start' | 'end'> = { start: 0, end: 0 };

  constructor(field: HTMLInputElement, buffer: LogBuffer) {
    this.#field = field;
    this.#buffer = buffer;
  }

  /** Offers what completes the word at the caret. */
  offer(): void {
    const { value, selectionStart } = this.#field;
    const completion = complete(value, selectionStart ?? value.length, this.#buffer);
    this.#replaced = completion ?? this.#replaced;
    this.offered.value = completion?.values ?? [];
    this.chosen.value = -1;
  }

  close(): void {
    this.offered.value = [];
    this.chosen.value = -1;
  }

  /** Handles the keys of an open list; true if the key was one of them. */
  press(key: string): boolean {
    const values = this.offered.value;
    if (values.length === 0) return false;
    const step = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0;
    const value = values[this.chosen.value];
    if (step !== 0) this.chosen.value = (this.chosen.value + step + values.length) % values.length;
    else if ((key === 'Tab' || key === 'Enter') && value !== undefined) this.insert(value);
    else if (key === 'Escape') this.close();
    else return false;
    return true;
  }

  insert(value: string): void {
    const { start, end } = this.#replaced;
    const before = this.#field.value;
    this.#field.value = `${before.slice(0, start)}${value}${before.slice(end)}`;
    this.#field.setSelectionRange(start + value.length, start + value.length);
    if (value.endsWith(':')) this.offer();
    else this.close();
  }
}

export function CompletionList({ completions }: { completions: Completions }) {
  const { offered, chosen } = completions;
  if (offered.value.length === 0) return null;
  return (
    <div id="filter-options" role="listbox" aria-label="Values seen">
      {offered.value.map((value, i) => (
        <div
          key={value}
          id={`filter-option-${i}`}
          role="option"
          tabIndex={-1}
          aria-selected={i === chosen.value}
          onPointerDown={(event) => {
            event.preventDefault();
            completions.insert(value);
          }}
        >
          {value}
        </div>
      ))}
    </div>
  );
}
