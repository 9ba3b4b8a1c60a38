// The values of OTLP → values of JSON. What comes may be of any type, since a client writes the JSON itself: whatever is no value
// becomes null. Long texts, deep lists and too many attributes are cut, and say so; credentials are masked at every depth.

import { cutMark, utf8Bytes } from '@llm-streamer/shared/entry.ts';
import { isCredential, MASK, masked } from './private-keys.ts';

export type Attributes = Map<string, unknown>;

/** OpenTelemetry's own limit is 128 for each span. */
const MAX_ATTRIBUTES = 256;
const MAX_KEY = 200;
/** Longer texts are cut one by one, so that the entry keeps its other attributes. */
const MAX_TEXT = 16_384;
/** UTF-16 units of all names and texts of one list, at every depth: no entry is larger. */
const MAX_LIST = 1_048_576;
const MAX_LEVELS = 12;
const MAX_ITEMS = 1_000;
const IDS = [
  ['traceId', 16],
  ['spanId', 8],
  ['parentSpanId', 8],
] as const;
/** How many attributes are missing. */
const CUT = 'cut_attributes';

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A number that came as one, or as digits. */
export function asNumber(value: unknown): number | undefined {
  const number =
    typeof value === 'bigint' || (typeof value === 'string' && value.trim() !== '' && value.length <= 40)
      ? Number(value)
      : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Epoch ms of nanoseconds; undefined for 0, which means unknown, and for what no date can be. */
export function asTime(nanos: unknown): number | undefined {
  // A double holds today's nanoseconds in steps of 256, which must not make a whole millisecond the one before.
  const ms = Math.floor(((asNumber(nanos) ?? 0) + 500) / 1e6);
  return ms >= 1 && ms <= 8.64e15 ? ms : undefined;
}

/** 32 or 16 hexadecimal digits in lower case; undefined for anything else, and for zeros, which mean none. */
export function asId(value: unknown, bytes: 16 | 8): string | undefined {
  if (typeof value !== 'string' || value.length > 40) return undefined;
  // Some libraries write bytes in base64, as protobuf's own JSON does.
  const isHex = /^[0-9a-fA-F]+$/.test(value);
  const id = isHex ? value.toLowerCase() : Buffer.from(value, 'base64').toString('hex');
  return id.length === 2 * bytes && /[1-9a-f]/.test(id) ? id : undefined;
}

/** What is wrong with the ids of a record, if one of them is none. An id that is missing, empty or of zeros only says that there is none. */
export function wrongIdOf(record: unknown): string | undefined {
  const fields = asRecord(record);
  for (const [name, bytes] of IDS) {
    const value = fields[name] ?? '';
    const isNone = typeof value === 'string' && /^(?:0*|A+=*)$/.test(value);
    if (!isNone && asId(value, bytes) === undefined)
      return `${name} must have ${bytes} bytes, in JSON ${2 * bytes} hexadecimal digits`;
  }
  return undefined;
}

/** How many UTF-16 units of names and texts may still come. */
interface Room {
  left: number;
}

/** A value of any depth as JSON has it. 64-bit numbers that JSON's numbers cannot hold stay texts. */
export function plain(value: unknown, levels = MAX_LEVELS, room: Room = { left: MAX_LIST }): unknown {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue } =
    asRecord(value);
  if (typeof stringValue === 'string') return masked(within(room, stringValue));
  if (typeof boolValue === 'boolean') return boolValue;
  if (intValue !== undefined) return whole(intValue);
  if (doubleValue !== undefined) return double(doubleValue);
  if (typeof bytesValue === 'string') return within(room, bytesValue);
  if (arrayValue === undefined && kvlistValue === undefined) return null;
  if (levels === 0) return '… [cut: nested too deep]';
  if (kvlistValue !== undefined)
    return Object.fromEntries(pairs(asRecord(kvlistValue).values, levels - 1, room));
  const items = asList(asRecord(arrayValue).values);
  const kept = items.slice(0, MAX_ITEMS).map((item) => plain(item, levels - 1, room));
  return items.length > MAX_ITEMS ? [...kept, `… [cut: ${items.length} items]`] : kept;
}

/** A list of keys and values. It is a map, so that a key like `__proto__` is one like any other. */
export function attributes(list: unknown, most = MAX_LIST): Attributes {
  return pairs(list, MAX_LEVELS, { left: most });
}

function pairs(list: unknown, levels: number, room: Room): Attributes {
  const found: Attributes = new Map();
  let cut = 0;
  for (const pair of asList(list)) {
    const { key, value } = asRecord(pair);
    if (typeof key !== 'string' || key === '') continue;
    if (room.left <= 0 || (found.size >= MAX_ATTRIBUTES && !found.has(key))) {
      cut++;
      continue;
    }
    const name = key.slice(0, MAX_KEY);
    room.left -= name.length;
    found.set(name, isCredential(key) ? MASK : plain(value, levels, room));
  }
  if (cut > 0) found.set(CUT, cut);
  return found;
}

function within(room: Room, text: string): string {
  const most = Math.max(0, Math.min(MAX_TEXT, room.left));
  room.left -= Math.min(most, text.length);
  return bounded(text, most);
}

/** At most `most` characters, the end replaced by a mark. */
export function bounded(text: string, most = MAX_TEXT): string {
  return text.length <= most ? text : text.slice(0, most).toWellFormed() + cutMark(utf8Bytes(text));
}

function whole(value: unknown): number | string | null {
  const number = asNumber(value);
  if (number === undefined) return null;
  return Number.isSafeInteger(number) || typeof value === 'number' ? number : String(value).slice(0, 40);
}

function double(value: unknown): number | string | null {
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number') return null;
  return Number.isFinite(number) ? number : String(number); // JSON has no NaN
}
