// Recognises a JSON text that is an entry just as the log writes it: it goes in as it is, and is not written anew, which
// costs more than all else about it.

import { type Draft, isLabel, LEVELS, utf8Bytes } from './entry.ts';

const LEVEL_NAMES: ReadonlySet<unknown> = new Set(LEVELS);
/** Epoch ms as a whole number; what is smaller or larger may be another unit. */
const FIRST_MS = 1e11;
const LAST_MS = 1e14;
/** Attributes that lie deeper are looked at by whoever decodes. */
const FLAT = 2;

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
  // An escape may be half a character, U+FFFD a byte that is none; a line break between two keys ends a frame's line.
  if (text.charCodeAt(0) !== OPENING || /\\u|[\n\r\ufffd]/.test(text)) return null;
  if (text.length * 3 > maxBytes && utf8Bytes(text) > maxBytes) return null;
  if (object.channel !== channel || object.time === undefined || object.level === undefined) return null;
  if (object.source === undefined || object.msg === undefined) return null;
  for (const key in object) if (!isField(key, object[key])) return null;
  return { channel, body: text };
}

const OPENING = 0x7b;

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
      return isFlat(value) && Object.keys(value as object).length > 0;
    default:
      return false;
  }
}

function isFlat(value: unknown, levels = FLAT): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null && (levels === 0 || !isFlat(inner, levels - 1)))
      return false;
  return true;
}
