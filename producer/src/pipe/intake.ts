// Turns the output of a program into entries: splits it into lines, joins those that belong together, and decodes them. A line
// is held for about a second at most.

import { decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { type EntryFields, type Level, levelAtLeast } from '@llm-streamer/shared/entry.ts';
import { LineSplitter } from './line-splitter.ts';
import { type Block, StackJoiner } from './stack-joiner.ts';

/** A block is complete when nothing more has come for this long. */
const QUIET_MS = 150;
/** A block that goes on growing is split after this long. */
const MAX_HOLD_MS = 1_000;

export interface IntakeOptions {
  channel: string;
  source: string;
  /** The level of lines that name none. */
  level: Level;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #onEntry: (fields: EntryFields) => void;
  readonly #splitter = new LineSplitter();
  readonly #joiner = new StackJoiner((block) => this.#decodeBlock(block));
  #quiet: NodeJS.Timeout | undefined;
  #chunks = 0;
  #heldSince = 0;

  constructor(options: IntakeOptions, onEntry: (fields: EntryFields) => void) {
    this.#options = options;
    this.#onEntry = onEntry;
  }

  addChunk(chunk: Uint8Array): void {
    this.#chunks++;
    this.#joinLines(this.#splitter.splitChunk(chunk));
    if (!this.#joiner.isHolding) return;
    if (this.#heldSince === 0) this.#heldSince = performance.now();
    if (performance.now() - this.#heldSince > MAX_HOLD_MS) this.#flush();
    else if (this.#quiet) this.#quiet.refresh();
    else this.#quiet = setTimeout(() => this.#flushIfQuiet(), QUIET_MS);
  }

  /** Decodes everything that is still held. */
  end(): void {
    this.#joinLines(this.#splitter.splitRest());
    this.#flush();
    clearTimeout(this.#quiet);
  }

  #joinLines(lines: readonly string[]): void {
    for (const line of lines) {
      if (line.charCodeAt(0) === 0x7b && line.endsWith('}')) {
        this.#flush();
        this.#decodeBlock({ text: line, isStack: false });
      } else this.#joiner.addLine(line);
    }
  }

  /**
   * If this process itself was stalled, the timer ends before the chunks that arrived meanwhile are read. So the block is complete
   * only if no chunk has come after the event loop has read once more.
   */
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

  #decodeBlock({ text, isStack }: Block): void {
    this.#heldSince = 0;
    const fields = decodePayload(text, { ...this.#options, now: Date.now() });
    if (isStack && !levelAtLeast(fields.level, 'warn'))
      fields.level = /warning/i.test(text.slice(0, 200)) ? 'warn' : 'error';
    this.#onEntry(fields);
  }
}
