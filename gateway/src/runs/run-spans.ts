// How a run and its lanes look in a trace. Of a run that belongs to somebody the names that its owner has chosen are left out, as they are
// from all that others may read.

import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { SpanEnd, SpanStart } from '../tracing/span.ts';
import type { LaneResult } from './lane.ts';
import { workflowOf } from './run-entries.ts';
import type { LanePlan, RunIdentity } from './run-plan.ts';
import type { RunRecord } from './store/run-store.ts';

export function runSpan(run: Omit<RunIdentity, 'traceId'>): SpanStart {
  const { owner, id, conversationId, promptVersion, agent } = run;
  const operation = agent === undefined ? 'invoke_workflow' : 'invoke_agent';
  return {
    name: `${operation} ${agent ?? workflowOf(run)}`,
    kind: 'internal',
    attributes: {
      [GEN_AI.operation]: operation,
      [GEN_AI.workflow]: workflowOf(run),
      ...(agent !== undefined && { [GEN_AI.agent]: agent }),
      [GEN_AI.promptVersion]: promptVersion,
      ...(owner === '' && { 'llm_streamer.run': id, [GEN_AI.conversationId]: conversationId }),
    },
  };
}

/** @param ending undefined if nobody can tell */
export function runSpanEnd(ending: Pick<RunRecord, 'state' | 'code'> | undefined): SpanEnd {
  const { state = 'lost', code = 'run_lost' } = ending ?? {};
  if (state === 'finished') return {};
  if (state === 'cancelled') return { attributes: { [GEN_AI.errorType]: code } };
  return { error: code };
}

export function laneSpan({ prompt, role }: LanePlan): SpanStart {
  return {
    name: `lane ${prompt.name}`,
    kind: 'internal',
    attributes: { [ATTRS.lane]: prompt.name, role, [GEN_AI.promptName]: prompt.name },
  };
}

export function laneSpanEnd(result: LaneResult): SpanEnd {
  if (result.ok) return {};
  const { code } = result.error;
  return code === 'cancelled' ? { attributes: { [GEN_AI.errorType]: code } } : { error: code };
}
