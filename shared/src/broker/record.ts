// One entry as the log stores and announces it: a head of fixed form, then the body from the writer. The head is read without
// parsing JSON. So an entry goes from Redis to a socket as bytes whose JSON is not parsed on the way.

import { decodePayload } from '../decode/decode.ts';
import { isAttributes } from '../decode/object.ts';
import { type Entry, type EntryFields, LEVELS } from '../entry.ts';
import { holdsMoreThan, MAX_ENTRY_VALUES } from '../json-values.ts';
import { formatPosition, type Position, timeOf } from './position.ts';

/**
 * The stored bytes are `{"id":"<ms>-<n>","log":"<token>","prev":<n>,` and the body without its `{`. `prev` is the position of the
 * entry before, on the same channel; 0 for the first. A message that is not stored has no head, and `n` and `prev` are 0.
 *
 * `prev` shows whether something is missing. For example, a reader that has everything up to 101 gets the entry 104. With prev 101,
 * or less, nothing of the channel lies between. With prev 103 an entry 103 of the channel exists, or existed, and the reader lacks it.
 */
export class LogRecord {
  readonly channel: string;
  /** The entry as one line of JSON, UTF-8. */
  readonly data: Buffer;
  readonly n: Position;
  readonly prev: Position;

  constructor(channel: string, data: Buffer, head: RecordHead | null) {
    this.channel = channel;
    this.data = data;
    this.n = head === null ? 0 : head.n;
    this.prev = head === null ? 0 : head.prev;
  }

  /** `<ms>-<n>`, or null for a message that is not stored. */
  get id(): string | null {
    return this.n === 0 ? null : formatPosition(this.n);
  }

  /** A copy for keeping. `data` is a part of a larger buffer, and keeping it would keep all of that in memory. */
  withOwnBytes(): LogRecord {
    return new LogRecord(this.channel, Buffer.from(this.data), this);
  }

  /** The parsed entry. It is well formed even if another program has changed the stored body. Parsed once for several calls in a row. */
  get entry(): Entry {
    if (parsed?.record === this) return parsed.entry;
    const fields =
      parseFields(this.data) ??
      decodePayload(this.data, { channel: this.channel, now: timeOf(this.n), source: 'unknown' });
    const given = this.id !== null && { id: this.id, log: tokenOf(this.data), prev: this.prev };
    const entry = { ...given, ...fields, channel: this.channel };
    parsed = { record: this, entry };
    return entry;
  }
}

/** The last parsed entry. If each record kept its own, they would take several times the memory that the log may. */
let parsed: { record: LogRecord; entry: Entry } | undefined;

/** null unless the body is what `draft` writes. A program that may write the keys of the log can store any bytes behind a valid head. */
function parseFields(data: Buffer): Omit<EntryFields, 'channel'> | null {
  try {
    const text = data.toString('utf8');
    if (holdsMoreThan(MAX_ENTRY_VALUES, text)) return null;
    const body: Partial<EntryFields> = JSON.parse(text);
    const { time, source, level, msg, event, run, attrs } = body;
    if (typeof time !== 'number' || !Number.isFinite(time) || level === undefined || !LEVELS.includes(level))
      return null;
    if (typeof source !== 'string' || typeof msg !== 'string') return null;
    if (![event, run].every((label) => label === undefined || typeof label === 'string')) return null;
    if (attrs !== undefined && !isAttributes(attrs)) return null;
    return {
      time,
      source,
      level,
      msg,
      ...(event !== undefined && { event }),
      ...(run !== undefined && { run }),
      ...(attrs !== undefined && { attrs }),
    };
  } catch {
    return null; // not JSON
  }
}

export interface RecordHead {
  n: Position;
  prev: Position;
}

/** The token of a log is this many characters of a-z and 0-9. */
export const TOKEN_LENGTH = 8;

// {"id":"1795224320113-1795224320113456","log":"k3f9a2b1","prev":1795224320113401,
//        ^7            ^21              ^37     ^46              ^63
const MS_START = 7;
const N_START = 21;
const N_END = 37;
export const ID_LENGTH = N_END - MS_START;
const TOKEN_START = 46;
const TOKEN_END = TOKEN_START + TOKEN_LENGTH;
const PREV_START = 63;

export function writeHead(n: Position, log: string, prev: Position): string {
  return `{"id":"${formatPosition(n)}","log":"${log}","prev":${prev},`;
}

/** Reads the head of stored bytes; null if they begin with anything but what `writeHead` writes. */
export function parseHead(data: Buffer): RecordHead | null {
  if (data.length <= PREV_START || !literal(data, 0, '{"id":"') || !literal(data, N_END, '","log":"'))
    return null;
  if (data[N_START - 1] !== DASH || !literal(data, TOKEN_END, '","prev":')) return null;
  for (let at = TOKEN_START; at < TOKEN_END; at++) if (!isTokenByte(data[at])) return null;
  let end = PREV_START;
  while (end < PREV_START + 16 && isDigit(data[end])) end++;
  if (data[end] !== COMMA) return null;
  const ms = digits(data, MS_START, N_START - 1);
  const n = digits(data, N_START, N_END);
  const prev = digits(data, PREV_START, end);
  if (n === null || prev === null || ms !== timeOf(n)) return null;
  return { n, prev };
}

/** The token in the head of stored bytes. */
function tokenOf(data: Buffer): string {
  return data.toString('latin1', TOKEN_START, TOKEN_END);
}

/** Whether stored bytes are of the log with this token. */
export function hasToken(token: string, data: Buffer): boolean {
  return literal(data, TOKEN_START, token) && data[TOKEN_START + token.length] === QUOTE;
}

/**
 * Copies the id of stored bytes, `ID_LENGTH` bytes of ASCII. Byte by byte, since no string is made then: the head of a frame takes
 * 50 ns instead of 330 (gateway/bench/RESULTS.md, "1,000 channels × 10/s").
 */
export function copyId(data: Buffer, target: Buffer, at: number): void {
  for (let i = 0; i < ID_LENGTH; i++) target[at + i] = data[MS_START + i] as number;
}

/**
 * Whether bytes with a head may be passed on as they are: they are one line (a line end would forge fields of SSE), and they
 * name the channel on which they came, or in whose stream they lie. The log's scripts write no others, but a program can that may
 * write the keys of the log, or publish where it announces. The rest of the body is not checked.
 */
export function isWellFormed(data: Buffer, channel: string): boolean {
  if (data.includes(0x0a) || data.includes(0x0d)) return false;
  const timeStart = data.indexOf(COMMA, PREV_START) + 1;
  if (!literal(data, timeStart, '"time":')) return false;
  let at = timeStart + 7;
  while (isDigit(data[at]) || data[at] === DASH) at++;
  return (
    literal(data, at, ',"channel":"') &&
    literal(data, at + 12, channel) &&
    data[at + 12 + channel.length] === QUOTE
  );
}

const QUOTE = 0x22;
const DASH = 0x2d;
const COMMA = 0x2c;

function literal(data: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (data[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isTokenByte(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && byte >= 0x61 && byte <= 0x7a);
}

/** null unless the bytes are a whole number below 2^53, without leading zeros. */
function digits(data: Buffer, start: number, end: number): number | null {
  if (start === end || (data[start] === 0x30 && end > start + 1)) return null;
  let value = 0;
  for (let i = start; i < end; i++) {
    if (!isDigit(data[i])) return null;
    value = value * 10 + ((data[i] as number) - 0x30);
  }
  return Number.isSafeInteger(value) ? value : null;
}
