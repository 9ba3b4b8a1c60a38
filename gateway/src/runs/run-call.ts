// A call of a tool as HTTP clients are told of it: with the names that the events of an agent's stream have for the same things.

import type { RunCall } from '@llm-streamer/shared/api-types.ts';
import type { ToolCallSnapshot } from '@llm-streamer/shared/tool-calls.ts';

export function runCall({ args, called, duration_s: seconds, ...call }: ToolCallSnapshot): RunCall {
  return {
    ...call,
    ...(args !== undefined && { arguments: args }),
    ...(called > 0 && { called }),
    ...(seconds !== undefined && { ms: Math.round(seconds * 1_000) }),
  };
}
