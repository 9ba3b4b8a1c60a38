// How many gaps this process has reported to its viewers, by reason. Views and connections count here, and metrics.ts reads
// the counts, so that nothing on the way of an entry needs to load Prometheus.

import type { GapReason } from '@llm-streamer/shared/broker/broker.ts';

/**
 * A gap that a view reports counts once, however many viewers share the view. A gap that is reported in the replay of history counts
 * once for each viewer who gets it.
 */
export type GapCounts = Record<GapReason, number>;

export function gapCounts(): GapCounts {
  return { trimmed: 0, expired: 0, reset: 0, rollback: 0, scan_limit: 0, not_stored: 0 };
}
