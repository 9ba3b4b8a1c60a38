// Recognises by its grammar alone a text that says, to whoever parses it, what `draft` would write of it: it goes into the
// log as it is, neither parsed nor written anew, which would cost several times all else about it.

import { type Draft, LEVELS, utf8Bytes } from '../entry.ts';

// No line break between two keys, which would end a frame's line; no U+FFFD, a byte that was none; no \u, which may be half
// a character. Every alternative begins with another character, so that no text makes the matcher try twice.
const CHARACTER = '[^"\\\\\\x00-\\x1f\\ufffd]';
const STRING = `"${CHARACTER}*(?:\\\\["\\\\/bfnrt]${CHARACTER}*)*"`;
/** A message like this is shown by what stands beside it. */
const BLANK = '"(?:\\s|\\\\[fnrt])*"';
const LABEL = `"${CHARACTER}{1,200}"`;
/** None beyond a double's range. */
const NUMBER = '-?(?:0|[1-9]\\d{0,99})(?:\\.\\d+)?(?:[eE][+-]?\\d{1,2})?';
const SCALAR = `(?:${STRING}|${NUMBER}|true|false|null)`;

const membersOf = (value: string) => `${STRING}:${value}(?:,${STRING}:${value})*`;
/** A value that holds others, which hold `inner`. */
const nestedIn = (inner: string) =>
  `(?:${SCALAR}|\\{(?:${membersOf(inner)})?\\}|\\[(?:${inner}(?:,${inner})*)?\\])`;

const ATTRS = `\\{${membersOf(nestedIn(nestedIn(SCALAR)))}\\}`;

/** Epoch ms of 1973 to 5138 (what is smaller or larger may be another unit); attributes at most three deep. */
const ENTRY = new RegExp(
  [
    '^\\{"time":[1-9]\\d{11,13}',
    ',"channel":"[A-Za-z0-9_.:/-]{1,200}"',
    `,"source":${LABEL}`,
    `,"level":"(?:${LEVELS.join('|')})"`,
    `,"msg":(?!${BLANK})${STRING}`,
    `(?:,"event":${LABEL})?`,
    `(?:,"run":${LABEL})?`,
    `(?:,"attrs":${ATTRS})?`,
    '\\}$',
  ].join(''),
);
const TIME_START = '{"time":'.length;

/** The draft that `text` is; null where it must be decoded first. `maxBytes`: beyond it an entry is cut. */
export function parseCanonical(text: string, maxBytes: number): Draft | null {
  if (text.length * 3 > maxBytes && utf8Bytes(text) > maxBytes) return null;
  if (!ENTRY.test(text)) return null;
  const start = text.indexOf('"', TIME_START) + '"channel":"'.length;
  return { channel: text.slice(start, text.indexOf('"', start)), body: text };
}
