// Recognises a JSON text that is an entry just as `draft` writes it, keys in order: it goes in as it is, and is not written
// anew, which costs more than all else about it.

import { type Draft, deeperThan, isLabel, LEVELS, MAX_DEPTH, utf8Bytes } from './entry.ts';

const LEVEL_NAMES: ReadonlySet<unknown> = new Set(LEVELS);
/** Epoch ms as a whole number; what is smaller or larger may be another unit. */
const FIRST_MS = 1e11;
const LAST_MS = 1e14;

/**
 * A draft of `text`, of which `object` was parsed; null where the log would write it otherwise. `maxBytes`: beyond it an
 * entry is cut.
 */
export function asWritten(
  text: string,
  object: Readonly<Record<string, unknown>>,
  channel: string,
  maxBytes: number,
): Draft | null {
  // Whoever reads stored bytes without parsing them (`isSound`) looks for just this.
  if (!text.startsWith(`{"time":${object.time},"channel":"${channel}",`)) return null;
  if (object.channel !== channel) return null; // named twice: the last is what readers take
  // An escape may be half a character, U+FFFD a byte that is none; a line break between two keys ends a frame's line.
  if (/\\u|[\n\r\ufffd]/.test(text)) return null;
  if (text.length * 3 > maxBytes && utf8Bytes(text) > maxBytes) return null;
  if (object.level === undefined || object.source === undefined || object.msg === undefined) return null;
  let last = '';
  for (const key in object) {
    if (!isField(key, object[key])) return null;
    last = key;
  }
  // The page finds the attributes' text by their place.
  if (object.attrs !== undefined && (last !== 'attrs' || !text.includes(',"attrs":{'))) return null;
  return { channel, body: text };
}

function isField(key: string, value: unknown): boolean {
  switch (key) {
    case 'time':
      return Number.isInteger(value) && (value as number) >= FIRST_MS && (value as number) < LAST_MS;
    case 'channel':
      return true;
    case 'source':
    case 'event':
    case 'run':
      return isLabel(value);
    case 'level':
      return LEVEL_NAMES.has(value);
    case 'msg':
      return typeof value === 'string' && value !== '';
    case 'attrs':
      return isFilled(value) && !deeperThan(MAX_DEPTH, value);
    default:
      return false;
  }
}

function isFilled(value: unknown): value is object {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.keys(value).length > 0;
}
