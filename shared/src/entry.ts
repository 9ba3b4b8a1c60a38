// What an entry is, and how its body is written: one line of JSON, never longer than the limit, with a mark where text was cut.

/** pino's levels, lowest first; the index is the severity. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];

/** What a writer gives. `time` is epoch ms by the writer's clock. */
export interface EntryFields {
  time: number;
  channel: string;
  /** Who wrote the entry, as a label. */
  source: string;
  level: Level;
  msg: string;
  /** The name of an event (`EVENTS` in events.ts, or any other); absent on plain log lines. */
  event?: string;
  /** All entries of one run, request or generation have the same value here. */
  run?: string;
  attrs?: Record<string, unknown>;
}

/** What a reader gets. The log adds `id` (`<ms>-<n>`), `log` and `prev`; an entry that was not stored has none of them. */
export interface Entry extends EntryFields {
  id?: string;
  /** The log's token: a different token means a different log, whose positions cannot be compared with these. */
  log?: string;
  /**
   * The position of the entry before it on its channel, in the log; 0 for the first. For example, after an entry with `n` 17 the next
   * one of the channel has `prev` 17. A reader of the whole channel that has everything up to 17 and gets `prev` 19 lacks an entry.
   * A reader with a filter cannot conclude that: the filter may have left 19 out.
   */
  prev?: number;
}

/** An entry ready for the log: `body` is one JSON object on one line, its first key never `id`, `log` or `prev`. */
export interface Draft {
  channel: string;
  body: string;
}

/** Bytes of an entry's JSON body beyond which its text is cut (`ENTRY_BYTES`). */
export const DEFAULT_ENTRY_BYTES = 65_536;

/** Whether a value can be a `source`, an `event` or a `run`. */
export function isLabel(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= 200;
}

export function levelAtLeast(level: Level, floor: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(floor);
}

/**
 * Writes a writer's fields as JSON. In a body over `maxBytes` the end of `msg` is replaced by a mark, and if that is not enough the
 * attributes, too.
 */
export function draft(given: EntryFields, maxBytes = DEFAULT_ENTRY_BYTES): Draft {
  // Writing 4 MiB of control characters only to drop them would take a second.
  const fields = charsLeft(given.attrs, maxBytes, 64, { values: 10_000 }) < 0 ? withoutAttrs(given) : given;
  // A longer text cannot fit. With escapes it would be up to six times as long, and writing a megabyte of it would take 30 ms.
  if (fields.msg.length > maxBytes) return { channel: fields.channel, body: cut(fields, maxBytes) };
  const body = serialize(fields);
  // A UTF-16 unit takes at most 3 bytes of UTF-8, so most bodies need no exact count.
  if (body.length * 3 <= maxBytes || utf8Bytes(body) <= maxBytes) return { channel: fields.channel, body };
  return { channel: fields.channel, body: cut(fields, maxBytes) };
}

/** The end of a text that was cut; `bytes` is the length of the whole text. */
export function cutMark(bytes: number): string {
  return `… [cut: ${bytes} bytes]`;
}

export const CUT_MARK = /… \[cut: (\d{1,15}) bytes\]$/;

function serialize(fields: EntryFields): string {
  const { time, channel, source, level, msg, event, run, attrs } = fields;
  const body = { time, channel, source, level, msg: msg.toWellFormed(), event, run, attrs };
  try {
    return JSON.stringify(body);
  } catch {
    return JSON.stringify({ ...body, attrs: { cut: 'attributes that are no JSON' } }); // they hold a cycle or a BigInt, or are nested too deep
  }
}

function cut(fields: EntryFields, maxBytes: number): string {
  const fits = (body: string) => utf8Bytes(body) <= maxBytes;
  const mark = cutMark(Number(CUT_MARK.exec(fields.msg)?.[1] ?? utf8Bytes(fields.msg)));
  const shortened = (most: EntryFields, keep: number) =>
    serialize({ ...most, msg: most.msg.slice(0, keep) + mark });

  let most = fields;
  if (!fits(shortened(most, 0))) most = withoutAttrs(most);
  if (!fits(shortened(most, 0))) most = { ...most, ...shortLabels(most) };
  const whole = most === fields || most.msg.length > maxBytes ? undefined : serialize(most);
  if (whole !== undefined && fits(whole)) return whole;
  return shortened(most, fittingLength(most.msg, maxBytes - utf8Bytes(shortened(most, 0))));
}

function withoutAttrs(fields: EntryFields): EntryFields {
  return { ...fields, attrs: { cut: 'attributes over the size limit' } };
}

/** `most` minus the UTF-16 units of the texts in `value`, each of which takes a byte or more; below 0 if it cannot fit. */
function charsLeft(value: unknown, most: number, levels: number, budget: { values: number }): number {
  if (typeof value === 'string') return most - value.length;
  if (typeof value !== 'object' || value === null || levels === 0 || 'toJSON' in value) return most;
  let left = most;
  for (const inner of Object.values(value)) {
    if (left < 0 || --budget.values < 0) break; // a cycle ends here, too
    left = charsLeft(inner, left, levels - 1, budget);
  }
  return left;
}

/** How many UTF-16 units of a text, at most, take no more than `bytes` in a string of JSON. Never ends inside a character. */
export function fittingLength(text: string, bytes: number): number {
  let left = bytes;
  let i = 0;
  while (i < text.length) {
    const code = text.codePointAt(i) as number;
    left -= jsonBytes(code);
    if (left < 0) return i;
    i += code > 0xffff ? 2 : 1;
  }
  return i;
}

function jsonBytes(code: number): number {
  if (code < 0x20) return '\b\t\n\f\r'.includes(String.fromCharCode(code)) ? 2 : 6;
  if (code < 0x80) return code === 0x22 || code === 0x5c ? 2 : 1;
  if (code < 0x800) return 2;
  return code > 0xffff ? 4 : 3; // half a character is written as U+FFFD, which takes three
}

/** Labels of at most 24 × 6 bytes of JSON each, so that an entry fits the smallest limit whatever its labels are. */
function shortLabels({ source, event, run }: EntryFields): Partial<EntryFields> {
  const short = (label: string) => (label.length > 24 ? `${label.slice(0, 23)}…` : label).toWellFormed();
  return {
    source: short(source),
    ...(event !== undefined && { event: short(event) }),
    ...(run !== undefined && { run: short(run) }),
  };
}

const encoder = new TextEncoder();
/** A longer text is counted: to encode 16 MiB took 200 ms, and three times the memory. */
const ENCODED = 65_536;

export function utf8Bytes(text: string): number {
  if (text.length <= ENCODED) return encoder.encode(text).length;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes++;
    else if (code < 0x800) bytes += 2;
    else if (code >= 0xd800 && code < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
