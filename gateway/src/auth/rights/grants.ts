// What of a request its principal may have: channels asked for are cut down to those allowed, as ordinary patterns, once for each
// request. So viewers with equal rights share a view, and nothing is checked for each entry. An answer never tells whether a
// channel exists.

import {
  channelSets,
  inCommon,
  isCovered,
  type Spend,
  stepBudget,
  TooManyPatterns,
  withoutCovered,
} from '@llm-streamer/shared/channel-sets.ts';
import { isExact, isPattern, isSearch, matches } from '@llm-streamer/shared/channels.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { MAX_CHANNELS_PER_QUERY, MAX_SEARCHES_PER_QUERY } from '../../stream/query/query.ts';
import type { Grants } from '../principal.ts';

/** Patterns that may be found before those are dropped that others cover; each is compared with each. */
const MAX_FOUND = 4 * MAX_CHANNELS_PER_QUERY;

export interface Effective {
  channels: readonly string[];
  /** Whether less is left than was asked for. */
  narrowed: boolean;
}

/**
 * What may be read of `requested`. A pattern that is allowed as a whole stays as it is, so that its view is shared with those who
 * may read more.
 *
 * @throws CodedError `channel_forbidden` if a channel was named that may not be read, or if nothing is left; `invalid_query` if what
 * is left takes more patterns than a query may have
 */
export function effective(requested: readonly string[], allowed: readonly string[]): Effective {
  try {
    return cutDown(requested, allowed, stepBudget());
  } catch (error) {
    throw error instanceof TooManyPatterns ? tooMany() : error;
  }
}

function cutDown(requested: readonly string[], allowed: readonly string[], spend: Spend): Effective {
  const [asked, granted] = [channelSets(requested, spend), channelSets(allowed, spend)];
  const refused = asked.filter((one) => !isCovered(one, granted, spend));
  if (refused.length === 0) return { channels: requested, narrowed: false };
  const forbidden = refused.find(({ pattern }) => isExact(pattern));
  if (forbidden !== undefined) throw channelForbidden(`you may not read ${forbidden.pattern}`, 'channels');
  const parts = new Set(refused);
  const whole = asked.filter((one) => !parts.has(one)).map(({ pattern }) => pattern);
  const channels = withoutCovered([...whole, ...inCommon(refused, granted, MAX_FOUND, spend)], spend);
  if (channels.length === 0) throw channelForbidden('there is nothing here that you may read', 'channels');
  if (channels.length > MAX_CHANNELS_PER_QUERY || channels.filter(isSearch).length > MAX_SEARCHES_PER_QUERY)
    throw tooMany();
  if (!channels.every(isPattern)) throw tooMany();
  return { channels, narrowed: true };
}

export function mayRead({ read }: Grants, channel: string): boolean {
  return read.some((pattern) => matches(pattern, channel));
}

export function mayPublish({ publish }: Grants, channel: string): boolean {
  return publish.some((pattern) => matches(pattern, channel));
}

export function channelForbidden(message: string, field: string): CodedError {
  return new CodedError('channel_forbidden', message, { field });
}

function tooMany(): CodedError {
  const rule = `at most ${MAX_CHANNELS_PER_QUERY} patterns, ${MAX_SEARCHES_PER_QUERY} of them with a * elsewhere than at the end`;
  return new CodedError(
    'invalid_query',
    `channels: what you may read of them takes too many patterns (${rule}); name fewer`,
    { field: 'channels' },
  );
}
