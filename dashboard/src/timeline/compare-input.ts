// Asks for the run to compare with: any name, and those of the runs that the page has, the newest first.

import { runKeyOf } from '../state/run-key.ts';
import type { LogBuffer } from '../stream/buffer.ts';

const MAX_RUNS = 30;
/** Rows that are looked at for names of runs. */
const MAX_ROWS = 20_000;
const LIST = 'timeline-runs';

export class CompareInput {
  readonly element = document.createElement('form');
  readonly #input = document.createElement('input');
  readonly #list = document.createElement('datalist');
  readonly #buffer: LogBuffer;
  readonly #leave: () => void;

  constructor(buffer: LogBuffer, choose: (run: string) => void, leave: () => void) {
    this.#buffer = buffer;
    this.#leave = leave;
    this.element.hidden = true;
    this.#list.id = LIST;
    this.#input.setAttribute('list', LIST);
    this.#input.ariaLabel = 'Run to compare with';
    this.#input.placeholder = 'compare with run …';
    this.#input.maxLength = 200;
    this.#input.autocomplete = 'off';
    this.#input.spellcheck = false;
    this.element.append(this.#input, this.#list);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      const run = this.#input.value.trim();
      this.#close();
      if (run !== '') choose(run);
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    });
  }

  open(without: string): void {
    const options = this.#runs()
      .filter((run) => run !== without)
      .slice(0, MAX_RUNS)
      .map((run) => {
        const option = document.createElement('option');
        option.value = run;
        return option;
      });
    this.#list.replaceChildren(...options);
    this.#input.value = '';
    this.element.hidden = false;
    this.#input.focus();
  }

  #close(): void {
    this.element.hidden = true;
    this.#leave();
  }

  #runs(): string[] {
    const runs = new Set<string>();
    const { first, end } = this.#buffer;
    for (let at = end - 1; at >= Math.max(first, end - MAX_ROWS) && runs.size <= MAX_RUNS; at--) {
      const row = this.#buffer.get(at);
      if (row?.kind === 'entry' && row.run !== undefined) runs.add(runKeyOf(row) ?? row.run);
    }
    return [...runs];
  }
}
