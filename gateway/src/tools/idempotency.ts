// The name of one call, the same however often it is sent. MCP has none of its own, so a server that wants to do a thing once looks here.

import type { Caller } from './toolbox.ts';

/** Its place in `_meta` of a call. */
export const IDEMPOTENCY_KEY = 'llm-streamer/idempotency-key';

export function idempotencyKey({ runId, callId }: Caller): string {
  return `${runId}/${callId}`;
}
