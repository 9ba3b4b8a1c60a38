// What a viewer asks for, from the query string: checked, and in one canonical form, so that equal queries share a view.

import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { hasFewStars, isPattern, isSearch, MAX_STARS, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';

/** Which entries a viewer wants. Viewers with equal selections share a view. */
export interface Selection {
  /** Channels and patterns, sorted and without repeats. */
  channels: readonly string[];
  level?: Level;
  /** An exact name, or a pattern with `*`. */
  source?: string;
  run?: string;
  /** A text that the entry must contain; case is ignored. */
  q?: string;
}

/** Where a stream begins. */
export type Start =
  | { from: 'now' }
  | { from: 'position'; position: Position }
  | { from: 'time'; time: number }
  | { from: 'tail'; count: number };

export const MAX_CHANNELS_PER_QUERY = 100;
/** How many of these may have a star elsewhere than at their end. They are costly, and all viewers share one `PatternBudget`. */
const MAX_SEARCHES_PER_QUERY = 10;
export const MAX_TAIL = 10_000;
const MAX_TEXT = 500;

type Params = Readonly<Record<string, unknown>>;

const SELECTION_KEYS = ['channels', 'channel', 'level', 'source', 'run', 'q'];
const START_KEYS = ['tail', 'since', 'lastEventId'];

/** Unknown parameters are refused. @throws CodedError `invalid_query`, which names the parameter and what is allowed */
export function parseSelection(params: Params, otherKeys: readonly string[] = START_KEYS): Selection {
  for (const key of Object.keys(params))
    if (!SELECTION_KEYS.includes(key) && !otherKeys.includes(key))
      throw invalid(key, `unknown parameter; known are ${[...SELECTION_KEYS, ...otherKeys].join(', ')}`);

  const listed = [
    ...texts(params, 'channels').flatMap((text) => text.split(',')),
    ...texts(params, 'channel'),
  ];
  const names = listed.map((name) => name.trim().replaceAll(/\*+/g, '*')).filter((name) => name !== '');
  const channels = [...new Set(names)].sort();
  if (channels.length === 0) channels.push('*');
  if (channels.length > MAX_CHANNELS_PER_QUERY)
    throw invalid('channels', `at most ${MAX_CHANNELS_PER_QUERY} channels and patterns`);
  if (!channels.every(isPattern)) throw invalid('channels', `each is ${PATTERN_RULE}`);
  if (channels.filter(isSearch).length > MAX_SEARCHES_PER_QUERY)
    throw invalid('channels', `at most ${MAX_SEARCHES_PER_QUERY} with a * elsewhere than at the end`);

  const level = text(params, 'level');
  if (level !== undefined && !LEVELS.includes(level as Level))
    throw invalid('level', `one of ${LEVELS.join(', ')}`);
  const source = text(params, 'source');
  if (source !== undefined && !hasFewStars(source)) throw invalid('source', `at most ${MAX_STARS} *`);
  const run = text(params, 'run');
  const q = text(params, 'q');
  return {
    channels,
    ...(level !== undefined && { level: level as Level }),
    ...(source !== undefined && { source }),
    ...(run !== undefined && { run }),
    ...(q !== undefined && { q }),
  };
}

/** `Last-Event-ID` (the header, or `lastEventId=`) wins over `since` and `tail`. */
export function parseStart(params: Params, lastEventId: string | undefined, now: number): Start {
  const cursor = lastEventId ?? text(params, 'lastEventId');
  if (cursor !== undefined) {
    const position = parsePosition(cursor);
    if (position === undefined) throw invalid('lastEventId', 'an id as the stream gave it, <ms>-<n>');
    return { from: 'position', position };
  }
  const since = text(params, 'since');
  if (since !== undefined) return parseSince(since, now);
  const tail = text(params, 'tail');
  if (tail === undefined) return { from: 'now' };
  const count = Number(tail);
  if (!/^\d+$/.test(tail) || count > MAX_TAIL) throw invalid('tail', `a whole number up to ${MAX_TAIL}`);
  return count === 0 ? { from: 'now' } : { from: 'tail', count };
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseSince(since: string, now: number): Start {
  const position = parsePosition(since);
  if (position !== undefined) return { from: 'position', position };
  return { from: 'time', time: parseTime('since', since, now) };
}

/** Epoch ms of an ISO time or of a duration before now. @throws CodedError `invalid_query` */
export function parseTime(key: string, value: string, now: number): number {
  const duration = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value);
  if (duration) return now - Number(duration[1]) * (UNIT_MS[duration[2] as string] as number);
  const time = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time))
    throw invalid(key, 'an id <ms>-<n>, an ISO time (2026-11-21T10:00:00Z) or a duration (15m; ms s m h d)');
  return time;
}

export function selectionKey({ channels, level, source, run, q }: Selection): string {
  return JSON.stringify([channels, level, source, run, q]);
}

export function invalid(field: string, message: string): CodedError {
  return new CodedError('invalid_query', `${field}: ${message}`, { field });
}

/** The value of a parameter that may be given once; undefined if it is absent or blank. */
export function text(params: Params, key: string): string | undefined {
  const values = texts(params, key);
  if (values.length > 1) throw invalid(key, 'may be given once');
  const value = values[0];
  if (value !== undefined && value.length > MAX_TEXT) throw invalid(key, `at most ${MAX_TEXT} characters`);
  if (value !== undefined && [...value].some((character) => character < ' '))
    throw invalid(key, 'no control characters');
  return value === '' ? undefined : value;
}

function texts(params: Params, key: string): string[] {
  const value = params[key];
  return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
}
