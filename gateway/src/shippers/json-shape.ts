// Whether a JSON text may be parsed in one step: not too many values, no object with so many names that its making takes long, and not too
// deep. Looks at megabytes in pieces, between which the event loop does what else is due.

import { setImmediate as nextRound } from 'node:timers/promises';
import { CodedError } from '@llm-streamer/shared/errors.ts';

export interface Shape {
  values: number;
  /** Of one object. An object of 190,000 names took 0.8 s to parse. */
  members: number;
  depth: number;
}

const PIECE = 1_048_576;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/** @throws CodedError `batch_too_large` */
export async function checkShape(text: string, most: Shape): Promise<void> {
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
        throw tooLarge(`at most ${most.depth} values inside one another`);
    } else if (code === BRACE_END || code === BRACKET_END) open.pop();
    else if (code === COMMA) {
      const members = (open.pop() ?? 0) + 1;
      open.push(members);
      if (members > most.members) throw tooLarge(`at most ${most.members} names in one object`);
      if (++values > most.values) throw tooLarge(`at most ${most.values} values in one request`);
    }
  }
}

/** The index of the quote that ends the string which begins at `start`; that of the last character if none does. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
}

function tooLarge(message: string): CodedError {
  return new CodedError('batch_too_large', message);
}
