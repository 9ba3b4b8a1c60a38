// Asks for a run: any name, and those of the runs that the page has, the newest first.

import { logTimeOf } from '../pictures/entry-feed.ts';
import { visible, wholeSeconds } from '../pictures/words.ts';
import { runKeyOf } from '../state/run-key.ts';
import type { LogBuffer } from '../stream/buffer.ts';

const MAX_RUNS = 30;
/** Rows that are looked at for names of runs. */
const MAX_ROWS = 20_000;
/** At most this many runs are on screen; they are not offered. */
const SHOWN = 2;
const MAX_NAME = 250;
const LIST = 'timeline-runs';

export class RunInput {
  readonly element = document.createElement('form');
  readonly #input = document.createElement('input');
  readonly #list = document.createElement('datalist');
  readonly #buffer: LogBuffer;
  readonly #leave: () => void;
  #offered: ReadonlySet<string> = new Set();
  #choose: (run: string) => void = () => {};

  /** `leave` is called when it closes, whether a run was chosen or not. */
  constructor(buffer: LogBuffer, leave: () => void) {
    this.#buffer = buffer;
    this.#leave = leave;
    this.element.hidden = true;
    this.#list.id = LIST;
    this.#input.setAttribute('list', LIST);
    this.#input.maxLength = MAX_NAME;
    this.#input.autocomplete = 'off';
    this.#input.spellcheck = false;
    this.element.append(this.#input, this.#list);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      const { value } = this.#input;
      const run = this.#offered.has(value) ? value : value.trim();
      this.#close();
      if (run !== '') this.#choose(run);
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    });
  }

  /** `purpose` is what a run is asked for; `shown` are those on screen; `now` is the log's time in ms. */
  open(purpose: string, shown: readonly string[], now: number, choose: (run: string) => void): void {
    const options = [...this.#runs()]
      // A name with control characters is not shown as it is, and an input would change it.
      .filter(([run]) => !shown.includes(run) && visible(run, MAX_NAME) === run)
      .slice(0, MAX_RUNS)
      .map(([run, at]) => {
        const option = document.createElement('option');
        option.value = run;
        option.label = `latest entry ${wholeSeconds(Math.max(0, now - at))} ago`;
        return option;
      });
    this.#list.replaceChildren(...options);
    this.#offered = new Set(options.map(({ value }) => value));
    this.#choose = choose;
    this.#input.ariaLabel = purpose;
    this.#input.placeholder = `${purpose} …`;
    this.#input.value = '';
    this.element.hidden = false;
    this.#input.focus();
  }

  #close(): void {
    this.element.hidden = true;
    this.#leave();
  }

  /** The time of the latest entry of each run, by the log's clock. */
  #runs(): Map<string, number> {
    const runs = new Map<string, number>();
    const { first, end } = this.#buffer;
    for (let at = end - 1; at >= Math.max(first, end - MAX_ROWS) && runs.size <= MAX_RUNS + SHOWN; at--) {
      const row = this.#buffer.get(at);
      if (row?.kind !== 'entry' || row.run === undefined) continue;
      const key = runKeyOf(row) ?? row.run;
      if (!runs.has(key)) runs.set(key, logTimeOf(row));
    }
    return runs;
  }
}
