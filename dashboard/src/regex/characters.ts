// Which characters a class, an escape or a dot matches. JavaScript's engine answers once for each character; the answer
// is kept.

const ASCII = 128;

export class Characters {
  readonly #pattern: RegExp;
  /** 0: not known yet, 1: no match, 2: match. */
  readonly #ascii = new Uint8Array(ASCII);
  readonly #others = new Map<number, boolean>();

  /** `source` matches exactly one character. */
  constructor(source: string, flags: string) {
    this.#pattern = new RegExp(`^${source}$`, flags.replaceAll(/[^isuv]/g, ''));
  }

  has(code: number): boolean {
    if (code < ASCII) {
      const known = this.#ascii[code] as number;
      if (known !== 0) return known === 2;
      const has = this.#pattern.test(String.fromCharCode(code));
      this.#ascii[code] = has ? 2 : 1;
      return has;
    }
    let has = this.#others.get(code);
    if (has === undefined) {
      has = this.#pattern.test(String.fromCodePoint(code));
      this.#others.set(code, has);
    }
    return has;
  }
}
