// How much the log keeps: entries and idle time of a channel, with other values for channels that begin with some prefixes,
// and bounds for the log as a whole.

import { CONVERSATION_PREFIX, RUN_PREFIX, TRACE_PREFIX } from '../channels.ts';

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

export function retentionOf(policy: RetentionPolicy, channel: string): Retention {
  return policy.prefixes.find(({ prefix }) => channel.startsWith(prefix)) ?? policy.default;
}
