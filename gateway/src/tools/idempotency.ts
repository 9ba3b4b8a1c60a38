// The name of one call, the same however often it is sent. MCP has none of its own, so a server that wants to do a thing once looks here.

import { createHash } from 'node:crypto';
import type { Caller } from './toolbox.ts';

/** Its place in `_meta` of a call. */
export const IDEMPOTENCY_KEY = 'llm-streamer/idempotency-key';

/** Two people may give their runs the same id, so the key depends on both; it tells neither. */
export function idempotencyKey({ principal, runId, callId }: Caller): string {
  return createHash('sha256').update([principal, runId, callId].join('\0')).digest('hex').slice(0, 32);
}
