// Turns a run's record into the summary that clients get, in lists and in single answers.

import type { RunSummary, RunUsage } from '@llm-streamer/shared/api-types.ts';
import { ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { type RunRecord, waitingOf } from '../runs/store/run-store.ts';
import type { Usage } from '../runs/usage.ts';

export function summaryOf(run: RunRecord): RunSummary {
  const { durationMs } = run.totals;
  const waiting = waitingOf(run);
  return {
    message_id: run.id,
    ...(run.owner !== '' && { owner: run.owner }),
    channel: runChannel(ownedKey(run.owner, run.id)),
    ...(run.conversationId !== undefined && { conversation_id: run.conversationId }),
    ...(run.agent !== undefined && { agent: run.agent }),
    ...(run.replaces !== undefined && { replaces: run.replaces }),
    state: run.state,
    ...(run.code !== undefined && { code: run.code }),
    gateway: run.gateway,
    prompt_version: run.promptVersion,
    models: run.lanes.map(({ lane, provider, model }) => ({ source: lane, provider, model })),
    started: run.started,
    ...(run.ended > 0 && { ended: run.ended, duration_ms: Math.round(durationMs) }),
    ...(waiting.length > 0 && { waiting }),
    usage: usageTold(run.totals),
  };
}

export function usageTold({ inputTokens, outputTokens, estimated }: Usage): RunUsage {
  return { input_tokens: inputTokens, output_tokens: outputTokens, ...(estimated && { estimated }) };
}
