// How much the log keeps: entries and idle time of a channel, with other values for channels that begin with some prefixes,
// and bounds for the log as a whole.

import { AUDIT_PREFIX, CONVERSATION_PREFIX, isReserved, RUN_PREFIX, TRACE_PREFIX } from '../channels.ts';
import { CHANNELS } from '../events.ts';

export interface Retention {
  /** Entries kept in a channel, approximately: the oldest are dropped in blocks. */
  entries: number;
  /** Milliseconds without a new entry after which a channel loses its entries. */
  idleMs: number;
}

export interface RetentionPolicy {
  default: Retention;
  /** Of several prefixes that a channel begins with, the first counts. */
  prefixes: readonly (Retention & { prefix: string })[];
  /** The most channels that the log may have. */
  maxChannels: number;
  /** Bytes that the whole log may take; 0 for no bound. */
  maxBytes: number;
}

const HOUR_MS = 3_600_000;

export const DEFAULT_RETENTION: RetentionPolicy = {
  default: { entries: 10_000, idleMs: 24 * HOUR_MS },
  prefixes: [
    { prefix: RUN_PREFIX, entries: 10_000, idleMs: 6 * HOUR_MS },
    { prefix: TRACE_PREFIX, entries: 10_000, idleMs: 6 * HOUR_MS },
    { prefix: CONVERSATION_PREFIX, entries: 10_000, idleMs: 30 * 24 * HOUR_MS },
  ],
  maxChannels: 50_000,
  maxBytes: 1_073_741_824,
};

/**
 * Of the most channels that the log may have: how many there may be for a writer to make one more. Whoever can only PUBLISH
 * is stopped first, then whoever else may write, so that neither keeps the gateway from beginning a run.
 */
const FOREIGN_SHARE = 0.8;
const WRITERS_SHARE = 0.9;
/**
 * Channels without entries are forgotten only beyond this share of the most channels. Forgetting one has a price: readers of a
 * pattern get a gap, because the log no longer knows whether they have missed entries of it. The share is smaller than those of
 * all writers, so that no writer is stopped by names that nobody uses any more.
 */
export const SCARCE_SHARE = 0.7;

/** These few names always have a place: that the log is full, and who filled it, must be said somewhere. */
const ALWAYS: ReadonlySet<string> = new Set(Object.values(CHANNELS));

/** How many channels the log may have with this one, if it has to be made. `isForeign`: the entry is an adopted message. */
export function placesFor({ maxChannels }: RetentionPolicy, channel: string, isForeign: boolean): number {
  if (ALWAYS.has(channel) || channel.startsWith(AUDIT_PREFIX)) return Number.MAX_SAFE_INTEGER;
  if (isReserved(channel)) return maxChannels;
  return Math.ceil(maxChannels * (isForeign ? FOREIGN_SHARE : WRITERS_SHARE));
}

export function retentionOf(policy: RetentionPolicy, channel: string): Retention {
  return policy.prefixes.find(({ prefix }) => channel.startsWith(prefix)) ?? policy.default;
}
