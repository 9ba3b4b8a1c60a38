// The JSON values of a text that holds many: the elements of one array, or values one after the other, with blanks between them or
// nothing at all, as Docker's driver and Fluent Bit send them. Each is found without parsing those after it.

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

/** A longer value would take too long to parse in one step. */
const MAX_VALUE_CHARS = 4_194_304;

/**
 * Each value as text; that it is JSON is for its reader to find out.
 * @throws CodedError `invalid_json` where values are not parted as they must be, `batch_too_large` for a value that is too long
 */
export function* jsonTexts(text: string): Generator<string> {
  const first = afterBlanks(text, 0);
  if (text.charCodeAt(first) === BRACKET) return yield* elements(text, first + 1);
  for (let at = first; at < text.length; ) {
    const end = endOfValue(text, at);
    yield text.slice(at, end);
    at = afterBlanks(text, end);
  }
}

function* elements(text: string, start: number): Generator<string> {
  let at = afterBlanks(text, start);
  let isMore = text.charCodeAt(at) !== BRACKET_END;
  while (isMore) {
    const end = endOfValue(text, at);
    yield text.slice(at, end);
    at = afterBlanks(text, end);
    isMore = text.charCodeAt(at) === COMMA;
    if (isMore) at = afterBlanks(text, at + 1);
  }
  if (text.charCodeAt(at) !== BRACKET_END || afterBlanks(text, at + 1) < text.length) throw broken();
}

/** Blanks of JSON, and the record separator of JSON text sequences. */
function afterBlanks(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09 && code !== 0x1e) break;
  }
  return at;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  const limit = Math.min(text.length, start + MAX_VALUE_CHARS);
  if (first === QUOTE) return afterString(text, start, limit);
  if (first !== BRACE && first !== BRACKET) return endOfWord(text, start);
  let depth = 0;
  for (let at = start; at < limit; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(text, at, limit);
      continue;
    }
    at++;
    if (code === BRACE || code === BRACKET) depth++;
    else if ((code === BRACE_END || code === BRACKET_END) && --depth === 0) return at;
  }
  throw cutOff(text, limit);
}

function afterString(text: string, start: number, limit: number): number {
  const end = endOfString(text, start, limit);
  if (end >= limit) throw cutOff(text, limit);
  return end + 1;
}

/** Of a number, `true`, `false` or `null`. */
function endOfWord(text: string, start: number): number {
  const word = /[\w.+-]{1,400}/y;
  word.lastIndex = start;
  if (!word.test(text)) throw broken();
  return word.lastIndex;
}

function cutOff(text: string, limit: number): CodedError {
  if (limit === text.length) return broken();
  return new CodedError('batch_too_large', `one value may have ${MAX_VALUE_CHARS} characters`);
}

function broken(): CodedError {
  return new CodedError('invalid_json', 'the body is not JSON');
}
