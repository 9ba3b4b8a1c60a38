// Calls of tools that hang, above the generations: a run that waits for one generates nothing, and would be missed here. Each leads to the
// picture of its run.
import type { OpenCall } from '../fleet/open-calls.ts';
import { setText } from '../pictures/set-text.ts';
import { visible, wholeSeconds } from '../pictures/words.ts';

/** As many as leave room for the generations. */
const MOST = 3;

export class HangingCalls {
  readonly element = document.createElement('p');
  readonly #onOpen: (run: string) => void;

  constructor(onOpen: (run: string) => void) {
    this.#onOpen = onOpen;
    this.element.className = 'hanging';
  }

  /** The longest first; `now` is the log's time in ms. */
  show(calls: readonly OpenCall[], now: number): void {
    const shown = calls.slice(0, MOST);
    while (this.element.children.length > shown.length) this.element.lastElementChild?.remove();
    for (const [i, call] of shown.entries()) {
      const button = (this.element.children[i] as HTMLButtonElement | undefined) ?? this.#button();
      const { runKey = '', run = '', tool, at } = call;
      button.value = runKey;
      button.disabled = runKey === '';
      const whose = run === '' ? '' : ` of ${visible(run, 60)}`;
      const more = i === MOST - 1 && calls.length > MOST ? ` · and ${calls.length - MOST} more` : '';
      setText(button, `○ ${visible(tool, 60)}${whose} has not answered for ${wholeSeconds(now - at)}${more}`);
    }
  }

  #button(): HTMLButtonElement {
    const button = this.element.appendChild(document.createElement('button'));
    button.type = 'button';
    button.className = 'warn';
    button.title = 'its run as a picture';
    button.addEventListener('click', () => this.#onOpen(button.value));
    return button;
  }
}
