// The name of one call, the same however often it is sent. MCP has none of its own, so a server that wants to do a thing once looks here.

import { createHash } from 'node:crypto';
import type { CallContext } from './toolbox.ts';

/** Its place in `_meta` of a call. */
export const IDEMPOTENCY_KEY = 'llm-streamer/idempotency-key';

/** Under the key of another call a server would do nothing, and say that it has. */
export function idempotencyKey({ nonce, callId }: Pick<CallContext, 'nonce' | 'callId'>): string {
  return createHash('sha256').update(`${nonce} ${callId}`).digest('hex').slice(0, 32);
}
