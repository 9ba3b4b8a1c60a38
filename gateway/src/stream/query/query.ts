// What a viewer asks for, from the query string: checked, and in one canonical form, so that equal queries share a view.

import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { hasFewStars, isPattern, isSearch, MAX_STARS, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { invalid, type Params, parseEntryId, parseTime, parseWhole, text, texts } from '../../parameters.ts';

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
export const MAX_SEARCHES_PER_QUERY = 10;
export const MAX_TAIL = 10_000;

/** The parameters that choose among the entries of the channels: a request with one of them may read much and find little. */
export const FILTER_KEYS = ['level', 'source', 'run', 'q'];
/** The parameters that `parseSelection` and `parseStart` read. */
export const SELECTION_KEYS = ['channels', 'channel', ...FILTER_KEYS];
export const START_KEYS = ['tail', 'since', 'lastEventId'];

/** @throws CodedError `invalid_query`, which names the parameter and what is allowed */
export function parseSelection(params: Params): Selection {
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
  if (cursor !== undefined) return { from: 'position', position: parseEntryId('lastEventId', cursor) };
  const since = text(params, 'since');
  if (since !== undefined) return parseSince(since, now);
  const tail = text(params, 'tail');
  if (tail === undefined) return { from: 'now' };
  const count = parseWhole('tail', tail, 0, MAX_TAIL);
  return count === 0 ? { from: 'now' } : { from: 'tail', count };
}

function parseSince(since: string, now: number): Start {
  const position = parsePosition(since);
  if (position !== undefined) return { from: 'position', position };
  return { from: 'time', time: parseTime('since', since, now) };
}

/** Equal for equal queries, and for no others: every field of `Selection` is in it. Viewers with the same key share a view. */
export function selectionKey({ channels, level, source, run, q }: Selection): string {
  return JSON.stringify([channels, level, source, run, q]);
}
