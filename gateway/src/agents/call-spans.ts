// How the call of a tool looks in a trace: which tool and how it ended, and neither its arguments nor its result.

import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { ToolErrorCode } from '../tools/toolbox.ts';
import type { SpanEnd, SpanStart } from '../tracing/span.ts';
import type { NamedCall } from './call-entries.ts';

export function callSpan({ id, tool }: NamedCall): SpanStart {
  return {
    name: `execute_tool ${tool}`,
    kind: 'client',
    attributes: { [GEN_AI.operation]: 'execute_tool', [GEN_AI.tool]: tool, [GEN_AI.toolCallId]: id },
  };
}

/** @param code absent if the tool did what it was asked */
export function callSpanEnd(code: ToolErrorCode | undefined): SpanEnd {
  if (code === undefined) return {};
  return code === 'cancelled' ? { attributes: { [GEN_AI.errorType]: code } } : { error: code };
}
