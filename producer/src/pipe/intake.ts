// A program's output → entries: lines, joined where they belong together, decoded. A block is held for a moment only.

import { decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { type EntryFields, type Level, levelAtLeast } from '@llm-streamer/shared/entry.ts';
import { LineSplitter } from './line-splitter.ts';
import { type Block, StackJoiner } from './stack-joiner.ts';

/** After this much silence a block is complete. */
const QUIET_MS = 150;
/** A block that grows in drips is given out after this long all the same. */
const MAX_HOLD_MS = 1_000;

export interface IntakeOptions {
  channel: string;
  source: string;
  /** Of lines that name none. */
  level: Level;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #tell: (fields: EntryFields) => void;
  readonly #splitter = new LineSplitter();
  readonly #joiner = new StackJoiner((block) => this.#emit(block));
  #quiet: NodeJS.Timeout | undefined;
  #chunks = 0;
  #heldSince = 0;

  constructor(options: IntakeOptions, tell: (fields: EntryFields) => void) {
    this.#options = options;
    this.#tell = tell;
  }

  push(chunk: Uint8Array): void {
    this.#chunks++;
    this.#take(this.#splitter.push(chunk));
    if (!this.#joiner.isHolding) return;
    if (this.#heldSince === 0) this.#heldSince = performance.now();
    if (performance.now() - this.#heldSince > MAX_HOLD_MS) this.#flush();
    else if (this.#quiet) this.#quiet.refresh();
    else this.#quiet = setTimeout(() => this.#flushIfQuiet(), QUIET_MS);
  }

  /** Everything that was held is told. */
  end(): void {
    this.#take(this.#splitter.end());
    this.#flush();
    clearTimeout(this.#quiet);
  }

  #take(lines: readonly string[]): void {
    for (const line of lines) {
      if (line.charCodeAt(0) === 0x7b && line.endsWith('}')) {
        this.#flush();
        this.#emit({ text: line, isStack: false });
      } else this.#joiner.push(line);
    }
  }

  /** A process that was stalled itself sees the time run out before it sees what has arrived meanwhile. */
  #flushIfQuiet(): void {
    const chunks = this.#chunks;
    setImmediate(() => {
      if (this.#chunks === chunks) this.#flush();
    });
  }

  #flush(): void {
    this.#heldSince = 0;
    this.#joiner.flush();
  }

  #emit({ text, isStack }: Block): void {
    this.#heldSince = 0;
    const fields = decodePayload(text, { ...this.#options, now: Date.now() });
    if (isStack && !levelAtLeast(fields.level, 'warn'))
      fields.level = /warning/i.test(text.slice(0, 200)) ? 'warn' : 'error';
    this.#tell(fields);
  }
}
