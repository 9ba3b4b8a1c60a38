// The fleet in one line: sums of what its sources say. How many generations run leads to the list of them.

import { figure, plural, wholeSeconds } from '../pictures/words.ts';
import type { Totals } from './model.ts';
import { ERRORS_MS } from './source.ts';

export class TotalsLine {
  readonly element = document.createElement('p');
  readonly #before = document.createTextNode('');
  readonly #running = document.createElement('button');
  readonly #after = document.createTextNode('');

  /** `pickButton` is the button that lets rows be picked for a comparison. */
  constructor(onRunning: () => void, pickButton: HTMLElement) {
    this.#running.type = 'button';
    this.#running.title = 'each of them (R)';
    this.#running.addEventListener('click', onRunning);
    this.element.append(this.#before, this.#running, this.#after, ' · ', pickButton);
  }

  /** Errors are counted over the last `errorsMs`: less than five minutes where the page has nothing of before. */
  show(
    { sources, models, tokensPerSecond, running, queued, errors, inTrouble }: Totals,
    errorsMs: number,
  ): void {
    const before = [
      plural(sources, 'source'),
      ...(models > 0 ? [plural(models, 'model')] : []),
      `${figure(tokensPerSecond)} tok/s`,
      '',
    ];
    const after = [
      '',
      `${figure(queued)} queued`,
      `${plural(errors, 'error')} in ${errorsMs < ERRORS_MS ? wholeSeconds(errorsMs) : '5 min'}`,
      inTrouble > 0 ? `${inTrouble} in trouble` : 'no trouble',
    ];
    this.#before.data = before.join(' · ');
    this.#after.data = after.join(' · ');
    const text = `${figure(running)} running`;
    if (this.#running.textContent !== text) this.#running.textContent = text;
  }
}
