// How the values of a request's URL and headers are read, for all routes: each function returns a checked value, or throws
// an error that names the parameter and says what is allowed.

import { BEGINNING, type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { isName } from './auth/names.ts';

export type Params = Readonly<Record<string, unknown>>;

const MAX_TEXT = 500;
const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const ID_RULE = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, and neither . nor ..';
/** Clients resolve `.` and `..` as steps of a path, so a run with such an id could not be addressed. */
export const ID = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}$/;

/** Where it stands for an owner, things that belong to nobody are meant. No owner's name begins with it. */
const NOBODY = '-';
const OWNER_RULE = `the name of an owner, or ${NOBODY} for what belongs to nobody`;

export function invalid(field: string, message: string): CodedError {
  return new CodedError('invalid_query', `${field}: ${message}`, { field });
}

/** A misspelt parameter would otherwise be answered as if it had been heeded. @throws CodedError `invalid_query` */
export function refuseUnknown(params: Params, known: readonly string[]): void {
  const key = Object.keys(params).find((name) => !known.includes(name));
  if (key === undefined) return;
  const rule = known.length > 0 ? `known are ${known.join(', ')}` : 'this route takes none';
  throw invalid(key, `unknown parameter; ${rule}`);
}

/** The one value of a parameter; undefined if it is absent or empty. @throws CodedError `invalid_query` */
export function text(params: Params, key: string): string | undefined {
  const values = texts(params, key);
  if (values.length > 1) throw invalid(key, 'may be given once');
  const value = values[0];
  if (value !== undefined && value.length > MAX_TEXT) throw invalid(key, `at most ${MAX_TEXT} characters`);
  if (value !== undefined && [...value].some((character) => character < ' '))
    throw invalid(key, 'no control characters');
  return value === '' ? undefined : value;
}

/** All values of a parameter that may be repeated: `?channel=a&channel=b`. */
export function texts(params: Params, key: string): string[] {
  const value = params[key];
  return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
}

/** A whole number from `min` to `max`. @throws CodedError `invalid_query` */
export function parseWhole(key: string, value: string, min: number, max: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= min && number <= max) return number;
  throw invalid(key, `a whole number from ${min} to ${max}`);
}

/** The position in an id like `1795224320113-42`. @throws CodedError `invalid_query` */
export function parseEntryId(key: string, value: string): Position {
  const position = parsePosition(value);
  if (position !== undefined) return position;
  throw invalid(key, 'an id as the stream gave it, <ms>-<n>');
}

/** Epoch ms of an ISO time, or of a duration before `now`. @throws CodedError `invalid_query` */
export function parseTime(key: string, value: string, now: number): number {
  const duration = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value);
  if (duration) return now - Number(duration[1]) * (UNIT_MS[duration[2] as string] as number);
  const time = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time))
    throw invalid(key, 'an id <ms>-<n>, an ISO time (2026-11-21T10:00:00Z) or a duration (15m; ms s m h d)');
  return time;
}

/** The id of a run or a conversation, from a path. @throws CodedError `invalid_query` */
export function parseId(key: string, value: string): string {
  if (ID.test(value)) return value;
  throw invalid(key, ID_RULE);
}

/** Whose runs or conversations are meant; '' for nobody's, and undefined if `owner=` is not given. @throws CodedError `invalid_query` */
export function parseOwner(params: Params): string | undefined {
  const owner = text(params, 'owner');
  if (owner === undefined || isName(owner)) return owner;
  if (owner === NOBODY) return '';
  throw invalid('owner', OWNER_RULE);
}

/**
 * The position after which a client continues to read a run: its `Last-Event-ID` (or `lastEventId=`), else the beginning.
 * @throws CodedError `invalid_header`
 */
export function parseCursor(lastEventId: string | string[] | undefined, params: Params): Position {
  const value = lastEventId ?? params.lastEventId;
  if (value === undefined || value === '') return BEGINNING;
  const position = parsePosition(String(value));
  if (position !== undefined) return position;
  throw new CodedError('invalid_header', 'Last-Event-ID must be an id as the stream gave it, <ms>-<n>', {
    field: 'Last-Event-ID',
  });
}
