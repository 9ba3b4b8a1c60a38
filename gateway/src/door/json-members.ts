// Finds where the members of a JSON object or list begin and end, without parsing them: a body of many megabytes costs no memory, and
// holds the event loop for one slice at a time. What is no JSON is noticed only where it stands between members.

import { BRACE, BRACE_END, BRACKET, BRACKET_END, COMMA, QUOTE } from '@llm-streamer/shared/json-values.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';

export interface Range {
  from: number;
  /** Exclusive. */
  to: number;
}

const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** The time is looked at after so many steps. */
const STEPS = 4_096;
/** Bytes of a key; a longer one is given as ''. */
const MAX_KEY = 200;

/**
 * Calls `onMember` for each member of the object or list in `range`, with its key, which is '' in a list. False if there is neither, or
 * if it ends too early.
 */
export async function eachMember(
  json: Buffer,
  range: Range,
  slicer: TimeSlicer,
  onMember: (key: string, value: Range) => void,
): Promise<boolean> {
  let steps = 0;
  const pauseInTime = () => (++steps % STEPS === 0 ? slicer.pauseIfDue() : undefined);
  let depth = 0;
  let isObject = false;
  let key = '';
  /** Where the string begins in which the scan is; undefined outside. */
  let string: number | undefined;
  /** Where the value of the present member begins; undefined before it. */
  let begin: number | undefined;
  /** Whether that is the next byte that is not blank. */
  let begins = false;
  let end = range.from;
  for (let at = range.from; at < range.to; at++) {
    const pause = pauseInTime();
    if (pause) await pause;
    if (string !== undefined) {
      // A step goes from quote to quote, whatever lies between.
      at = json.indexOf(QUOTE, at);
      if (at < 0 || at >= range.to) return false;
      let slashes = 0;
      while (json[at - 1 - slashes] === BACKSLASH) {
        slashes++;
        const pause = pauseInTime();
        if (pause) await pause;
      }
      if (slashes % 2 === 1) continue; // the quote is escaped
      if (depth === 1 && isObject && begin === undefined)
        key = at - string > MAX_KEY ? '' : textOf(json, { from: string, to: at + 1 });
      string = undefined;
      end = at + 1;
      continue;
    }
    const byte = json[at] as number;
    if (byte <= 0x20) continue;
    if (depth === 0) {
      if (byte !== BRACE && byte !== BRACKET) return false;
      isObject = byte === BRACE;
      depth = 1;
      continue;
    }
    if (begins) {
      begin = end = at;
      begins = false;
    }
    const closes = byte === BRACE_END || byte === BRACKET_END;
    if (depth === 1 && (closes || byte === COMMA)) {
      if (begin !== undefined) onMember(key, { from: begin, to: end });
      if (closes) return true;
      begin = undefined;
      key = '';
      continue;
    }
    if (depth === 1 && isObject && begin === undefined) {
      if (byte === QUOTE) string = at;
      if (byte === COLON) begins = true;
      continue;
    }
    begin ??= at;
    if (byte === QUOTE) string = at;
    else if (byte === BRACE || byte === BRACKET) depth++;
    else if (closes) depth--;
    end = at + 1;
  }
  return false;
}

/** The text of a string of JSON; '' if it is none. */
export function textOf(json: Buffer, { from, to }: Range): string {
  try {
    const value: unknown = JSON.parse(json.toString('utf8', from, to));
    return typeof value === 'string' ? value : '';
  } catch {
    return '';
  }
}
