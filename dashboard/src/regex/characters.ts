// Which characters a class, an escape or a dot matches: JavaScript's engine is asked, and its answers are remembered.

import { REMEMBERED } from './bounds.ts';

const ASCII = 128;
/** An ASCII character, one of these escapes, or a class of them: it matches either all characters beyond ASCII or none. */
const ALIKE = /^(?:[\0-\x7f]|\\[wWdD\W])$|^\[(?:[\0-\x5b\x5d-\x7f]|\\[wWdD\W_])*\]$/;

export class Characters {
  /** How often JavaScript's engine was asked about characters beyond ASCII. */
  asked = 0;
  /** False where all characters beyond ASCII have the same answer. */
  readonly asks: boolean;
  readonly #pattern: RegExp;
  readonly #isDot: boolean;
  /** 0: not asked yet, 1: no, 2: yes. The last element is for all characters beyond ASCII, if they have the same answer. */
  readonly #known = new Uint8Array(ASCII + 1);
  readonly #others = new Map<number, boolean>();

  /** `source` matches exactly one character. */
  constructor(source: string, flags: string) {
    this.#pattern = new RegExp(`^${source}$`, flags.replaceAll(/[^isuv]/g, ''));
    // With these flags, k also matches the Kelvin sign.
    const folds = flags.includes('i') && /[uv]/.test(flags);
    this.asks = folds || !ALIKE.test(source);
    this.#isDot = source === '.' && !flags.includes('s');
  }

  has(code: number): boolean {
    if (code < ASCII) return this.#remembered(code, code);
    if (this.#isDot && (code === 0x2028 || code === 0x2029)) return false;
    if (!this.asks) return this.#remembered(ASCII, code);
    let has = this.#others.get(code);
    if (has === undefined) {
      has = this.#pattern.test(String.fromCodePoint(code));
      this.asked++;
      if (this.#others.size >= REMEMBERED) this.#others.clear();
      this.#others.set(code, has);
    }
    return has;
  }

  #remembered(index: number, code: number): boolean {
    const known = this.#known[index] as number;
    if (known !== 0) return known === 2;
    const has = this.#pattern.test(String.fromCodePoint(code));
    this.#known[index] = has ? 2 : 1;
    return has;
  }
}
