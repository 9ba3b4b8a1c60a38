// Joins lines that come while a program runs into blocks, one for each entry: a line of JSON at once, any other when a line comes
// that does not belong to it, or when none comes for a while. A line is held for about a second at most.

import type { DecodeContext } from '@llm-streamer/shared/decode/context.ts';
import { decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { type EntryFields, levelAtLeast } from '@llm-streamer/shared/entry.ts';
import { type Block, StackJoiner } from './stack-joiner.ts';

/** A block is complete when nothing more has come for this long. */
const QUIET_MS = 150;
/** A block that goes on growing is split after this long. */
export const MAX_HOLD_MS = 1_000;

export class BlockJoiner<Mark = undefined> {
  readonly #onBlock: (block: Block<Mark>) => void;
  readonly #joiner: StackJoiner<Mark>;
  #quiet: NodeJS.Timeout | undefined;
  #pauses = 0;
  #heldSince = 0;

  constructor(onBlock: (block: Block<Mark>) => void) {
    this.#onBlock = (block) => {
      this.#heldSince = 0;
      onBlock(block);
    };
    this.#joiner = new StackJoiner((block) => this.#onBlock(block));
  }

  /** The mark of the first line that is held; undefined where none is. */
  get held(): Mark | undefined {
    return this.#joiner.held;
  }

  addLine(line: string, mark: Mark): void {
    if (line.charCodeAt(0) === 0x7b && line.endsWith('}')) {
      this.flush();
      this.#onBlock({ text: line, isStack: false, first: mark, last: mark });
    } else this.#joiner.addLine(line, mark);
  }

  /** To be called after the lines that came together: what is held now waits for more. */
  awaitMore(): void {
    this.#pauses++;
    if (!this.#joiner.isHolding) return;
    if (this.#heldSince === 0) this.#heldSince = performance.now();
    if (performance.now() - this.#heldSince > MAX_HOLD_MS) this.flush();
    else if (this.#quiet) this.#quiet.refresh();
    else this.#quiet = setTimeout(() => this.#flushIfQuiet(), QUIET_MS);
  }

  /** Completes the block that is held. */
  flush(): void {
    this.#heldSince = 0;
    this.#joiner.flush();
  }

  end(): void {
    this.flush();
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
  }

  /**
   * If this process itself was stalled, the timer ends before the lines that arrived meanwhile are read. So the block is complete
   * only if none have come after the event loop has read once more.
   */
  #flushIfQuiet(): void {
    const pauses = this.#pauses;
    setImmediate(() => {
      if (this.#pauses === pauses) this.flush();
    });
  }
}

/** The entry that a block is. */
export function decodeBlock(
  { text, isStack }: Pick<Block, 'text' | 'isStack'>,
  context: DecodeContext,
): EntryFields {
  const fields = decodePayload(text, context);
  if (isStack && !levelAtLeast(fields.level, 'warn'))
    fields.level = /warning/i.test(text.slice(0, 200)) ? 'warn' : 'error';
  return fields;
}
