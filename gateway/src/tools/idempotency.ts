// The name of one call, the same however often it is sent. MCP has none of its own, so a server that wants to do a thing once looks here.

import { createHash } from 'node:crypto';
import type { Caller } from './toolbox.ts';

/** Its place in `_meta` of a call. */
export const IDEMPOTENCY_KEY = 'llm-streamer/idempotency-key';

/**
 * Two people may give their runs the same id, and one person may give it again once the first run is deleted, so the key depends on all of
 * that, and tells nothing of it. Under the key of an earlier run a server would do nothing, and say that it has.
 */
export function idempotencyKey({ principal, runId, nonce, callId }: Caller): string {
  return createHash('sha256').update([principal, runId, nonce, callId].join('\0')).digest('hex').slice(0, 32);
}
