// Whether a JSON text may be parsed in one step: not too many values, no object with so many names that its making takes long, and not too
// deep. Whatever reads a body of more than some 100 KB asks here first. Looks at megabytes in pieces, between which the event loop does what else is due.

import { setImmediate as nextRound } from 'node:timers/promises';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import {
  BRACE,
  BRACE_END,
  BRACKET,
  BRACKET_END,
  COMMA,
  endOfString,
  QUOTE,
} from '@llm-streamer/shared/json-values.ts';

export interface Shape {
  values: number;
  /** Of one object. An object of 190,000 names took 0.8 s to parse, the same values in small objects a tenth of it. */
  members: number;
  depth: number;
}

const PIECE = 1_048_576;

/** @throws CodedError `batch_too_large` */
export async function checkShape(text: string, most: Shape): Promise<void> {
  const excess = await excessOf(text, most);
  if (excess !== undefined) throw new CodedError('batch_too_large', excess);
}

/** Which bound the text passes, in words; undefined if none. */
export async function excessOf(text: string, most: Shape): Promise<string | undefined> {
  /** Of the objects that are open: how many members each has so far; of an array, minus infinity. */
  const open: number[] = [];
  let values = 1;
  let pause = PIECE;
  for (let at = 0; at < text.length; at++) {
    if (at >= pause) {
      await nextRound();
      pause = at + PIECE;
    }
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === BRACE || code === BRACKET) {
      values++;
      if (open.push(code === BRACE ? 1 : Number.NEGATIVE_INFINITY) > most.depth)
        return `at most ${most.depth} values inside one another`;
    } else if (code === BRACE_END || code === BRACKET_END) open.pop();
    else if (code === COMMA) {
      const members = (open.pop() ?? 0) + 1;
      open.push(members);
      if (members > most.members) return `at most ${most.members} names in one object`;
      if (++values > most.values) return `at most ${most.values} values in one request`;
    }
  }
  return undefined;
}
