// Turns the output of a program into entries: splits it into lines, joins those that belong together, and decodes them. A line
// is held for about a second at most.

import type { EntryFields, Level } from '@llm-streamer/shared/entry.ts';
import { BlockJoiner, decodeBlock } from './block-joiner.ts';
import { LineSplitter } from './line-splitter.ts';

export interface IntakeOptions {
  channel: string;
  source: string;
  /** The level of lines that name none. */
  level: Level;
}

export class Intake {
  readonly #splitter = new LineSplitter();
  readonly #joiner: BlockJoiner;

  constructor(options: IntakeOptions, onEntry: (fields: EntryFields) => void) {
    this.#joiner = new BlockJoiner((block) => onEntry(decodeBlock(block, { ...options, now: Date.now() })));
  }

  addChunk(chunk: Uint8Array): void {
    this.#joinLines(this.#splitter.splitChunk(chunk));
    this.#joiner.awaitMore();
  }

  /** Decodes everything that is still held. */
  end(): void {
    this.#joinLines(this.#splitter.splitRest());
    this.#joiner.end();
  }

  #joinLines(lines: readonly string[]): void {
    for (const line of lines) this.#joiner.addLine(line, undefined);
  }
}
