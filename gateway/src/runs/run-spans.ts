// How a run and its lanes look in a trace. Of a run that belongs to somebody the names that its owner has chosen are left out, as they are
// from all that others may read.

import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { SpanEnd, SpanStart } from '../tracing/span.ts';
import type { LaneResult } from './lane.ts';
import { WORKFLOW } from './run-entries.ts';
import type { LanePlan, RunIdentity } from './run-plan.ts';
import type { RunRecord } from './store/run-store.ts';

export function runSpan({ owner, id, conversationId, promptVersion }: RunIdentity): SpanStart {
  return {
    name: `invoke_workflow ${WORKFLOW}`,
    kind: 'internal',
    attributes: {
      [GEN_AI.operation]: 'invoke_workflow',
      [GEN_AI.workflow]: WORKFLOW,
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
