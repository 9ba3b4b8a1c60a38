// A line of the list in the DOM: the generation that stands in it, or nothing. Only what has changed is written.
import { setText } from '../pictures/set-text.ts';
import { figure, seconds, UNKNOWN, visible, wholeSeconds } from '../pictures/words.ts';
import type { Generation } from './generation.ts';

interface Column {
  key: string;
  title: string;
  hint: string;
  text(generation: Generation, now: number): string;
}

export const COLUMNS: readonly Column[] = [
  {
    key: 'source',
    title: 'source',
    hint: 'who writes, and the task of its run; ● runs, ○ gives no sign, ✓ has finished, ■ was stopped, ✕ has failed',
    text: (generation, now) => {
      const { source, lane } = generation;
      return `${markOf(generation, now)} ${visible(source)}${lane === '' ? '' : ` ${visible(lane)}`}`;
    },
  },
  {
    key: 'model',
    title: 'model',
    hint: 'the model that was named last',
    text: ({ model }) => (model === undefined ? UNKNOWN : visible(model.slice(model.lastIndexOf('/') + 1))),
  },
  {
    key: 'time',
    title: 'time',
    hint: 'since its start; of one that has ended, as its service says',
    text: (generation, now) => {
      const elapsed = generation.elapsed(now);
      return elapsed === undefined ? UNKNOWN : wholeSeconds(elapsed);
    },
  },
  {
    key: 'first',
    title: 'first',
    hint: 'seconds to the first token',
    text: ({ firstToken }) => (firstToken === undefined ? UNKNOWN : seconds(firstToken)),
  },
  {
    key: 'tokens',
    title: 'tokens',
    hint: 'tokens of its answer: of its pieces while it runs, then as its service counts them',
    text: ({ tokens, hasBegun }) => (hasBegun || tokens > 0 ? tokens.toLocaleString('en') : UNKNOWN),
  },
  {
    key: 'rate',
    title: 'tok/s',
    hint: 'tokens per second, from its first token on',
    text: ({ tokensPerSecond }) => figure(tokensPerSecond),
  },
  {
    key: 'words',
    title: 'last words',
    hint: 'how it stands, and what it said last',
    text: ({ words }) => visible(words.trimStart()),
  },
];

export class LineNode {
  readonly element = document.createElement('div');
  generation: Generation | undefined;
  readonly #texts: readonly Text[];
  readonly #state: Text;

  constructor() {
    this.element.role = 'row';
    this.element.tabIndex = -1;
    const cells = COLUMNS.map(({ key }, i) => {
      const cell = this.element.appendChild(document.createElement('span'));
      cell.role = i === 0 ? 'rowheader' : 'gridcell';
      cell.dataset.column = key;
      return cell;
    });
    const state = (cells.at(-1) as HTMLElement).appendChild(document.createElement('b'));
    this.#state = state.appendChild(document.createTextNode(''));
    this.#texts = cells.map((cell) =>
      cell
        .appendChild(document.createElement('bdi'))
        // A box of its own, so that a style can cut it at its beginning.
        .appendChild(document.createElement('span'))
        .appendChild(document.createTextNode('')),
    );
  }

  show(generation: Generation | undefined, now: number): void {
    this.generation = generation;
    const name = generation ? `row ${toneOf(generation, now)}` : 'row free';
    if (this.element.className !== name) this.element.className = name;
    for (const [i, { text }] of COLUMNS.entries())
      setText(this.#texts[i], generation ? text(generation, now) : '');
    setText(this.#state, generation ? stateOf(generation, now) : '');
  }
}

function markOf(generation: Generation, now: number): string {
  if (generation.isRunning) return generation.isStalled(now) ? '○' : '●';
  return { failed: '✕', stopped: '■' }[generation.state as string] ?? '✓';
}

function toneOf(generation: Generation, now: number): string {
  if (generation.isRunning) return generation.isStalled(now) ? 'stalled' : 'runs';
  return generation.state;
}

/** What is said of it before its words. */
function stateOf(generation: Generation, now: number): string {
  const { state, error, hasBegun } = generation;
  const said =
    state === 'failed'
      ? `failed${error === '' ? '' : `: ${visible(error)}`}`
      : !generation.isRunning
        ? state
        : generation.isStalled(now)
          ? `no sign for ${wholeSeconds(generation.silence(now))}${hasBegun ? '' : ', no token yet'}`
          : hasBegun
            ? ''
            : 'no token yet';
  return said === '' || generation.words === '' ? said : `${said} · `;
}
