// Which asterisks, underscores and tildes emphasize what stands between them, by the rules of CommonMark: `snake_case_name` and `2 * 3`
// stay as they are.
import type { ComponentChildren } from 'preact';

/** A run of one of these characters, of which some are still to be used. */
export class Mark {
  left: number;
  readonly #char: string;
  readonly #length: number;
  readonly #isOpening: boolean;
  readonly #isClosing: boolean;

  /** @param before the character in front of it, '' at an end; `after` likewise */
  constructor(run: string, before: string, after: string) {
    this.#char = run.charAt(0);
    this.#length = run.length;
    this.left = run.length;
    const isOpen = (inside: string, outside: string) =>
      /\S/.test(inside) && (!PUNCTUATION.test(inside) || !/[^\s\p{P}\p{S}]/u.test(outside));
    const [opens, closes] = [isOpen(after, before), isOpen(before, after)];
    const isWord = this.#char === '_';
    this.#isOpening = opens && (!isWord || !closes || PUNCTUATION.test(before));
    this.#isClosing = closes && (!isWord || !opens || PUNCTUATION.test(after));
  }

  get text(): string {
    return this.#char.repeat(this.left);
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  isClosedBy(other: Mark): boolean {
    if (!this.#isOpening || this.#char !== other.#char) return false;
    const isBoth = this.#isClosing || other.#isOpening;
    const isThree = (this.#length + other.#length) % 3 === 0;
    return !(isBoth && isThree && this.#length % 3 !== 0);
  }

  around(inside: ComponentChildren[], used: number): ComponentChildren {
    if (this.#char === '~') return <del>{inside}</del>;
    return used === 2 ? <strong>{inside}</strong> : <em>{inside}</em>;
  }
}

const PUNCTUATION = /[\p{P}\p{S}]/u;

export type Part = ComponentChildren | Mark;

export function emphasized(parts: readonly Part[]): ComponentChildren[] {
  const done: Part[] = [];
  for (const part of parts) {
    if (part instanceof Mark && part.isClosing)
      while (part.left > 0) {
        const at = done.findLastIndex((other) => other instanceof Mark && other.isClosedBy(part));
        const opening = done[at];
        if (!(opening instanceof Mark)) break;
        const used = Math.min(2, opening.left, part.left);
        const inside = done.splice(at + 1).map(plain);
        opening.left -= used;
        part.left -= used;
        if (opening.left === 0) done.pop();
        done.push(opening.around(inside, used));
      }
    if (!(part instanceof Mark) || part.left > 0) done.push(part);
  }
  return done.map(plain);
}

function plain(part: Part): ComponentChildren {
  return part instanceof Mark ? part.text : part;
}
