// One model call of a run. Its events become entries as they come. A failure is a result, too: `runLane` never throws.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { LlmError } from '../llm/failure.ts';
import type { LlmFinish, LlmMessage, LlmModel, LlmRequest, LlmTool, LlmToolCall } from '../llm/model.ts';
import type { Span } from '../tracing/span.ts';
import { estimateTokens } from './conversation.ts';
import type { Journal } from './journal.ts';
import { generationCopy, type RunEntries } from './run-entries.ts';
import type { LanePlan } from './run-plan.ts';
import type { Usage } from './usage.ts';

export type LaneResult = {
  text: string;
  usage: Usage;
} /** `calls` are those that the model asks for; there are none unless tools are offered. */ & (
  | { ok: true; cut: boolean; calls: readonly LlmToolCall[] }
  | { ok: false; error: LlmError }
);

/** The outcome of one call, for metrics. */
export interface GenerationRecord {
  lane: LanePlan;
  durationMs: number;
  finish?: LlmFinish;
  error?: LlmError;
}

/** Is informed of every model call of every run. Its methods must not throw. */
export interface GenerationObserver {
  /** An entry for the log of model calls. */
  onEntry(fields: EntryFields): void;
  onGenerationEnded(record: GenerationRecord): void;
}

export interface LaneContext {
  model: LlmModel;
  journal: Journal;
  entries: RunEntries;
  observer: GenerationObserver;
  /** Whether the entries about model calls contain the texts of the messages, if the run belongs to nobody. */
  logContent: boolean;
  /** Of the call: that of the lane among those of the run, or of an agent's step. */
  number: number;
  /** What the model may call. */
  tools?: readonly LlmTool[];
  toolChoice?: LlmRequest['toolChoice'];
  /** The lane's, where the run is traced. */
  span?: Span | undefined;
}

/** The most UTF-16 units of one answer, reasoning included. It bounds the memory that a model can use. */
const MAX_ANSWER = 1_048_576;

export async function runLane(
  plan: LanePlan,
  messages: readonly LlmMessage[],
  context: LaneContext,
  signal: AbortSignal,
): Promise<LaneResult> {
  const { model, journal, entries, observer, tools = [], toolChoice, span } = context;
  const { temperature, max_tokens } = plan.prompt;
  const began = performance.now();
  const said = { text: '', reasoning: '' };
  const calls: LlmToolCall[] = [];
  let finish: LlmFinish | undefined;
  const content = (output?: string) =>
    context.logContent ? { 'gen_ai.input.messages': messages, 'gen_ai.output.messages': output } : undefined;

  const given = messages.reduce((sum, message) => sum + estimateTokens(message.content), 0);
  const estimate = (): Usage => {
    const outputTokens = estimateTokens(said.text) + estimateTokens(said.reasoning);
    return { inputTokens: given, outputTokens, estimated: true };
  };

  const started = entries.laneStarted(plan, context.number, given);
  journal.appendEntry(started, plan);
  observer.onEntry(generationCopy(started, entries.owner, content()));
  try {
    const request = {
      target: plan.target,
      messages,
      ...(tools.length > 0 && { tools, toolChoice }),
      ...(temperature !== undefined && { temperature }),
      ...(max_tokens !== undefined && { maxTokens: max_tokens }),
      ...(span && { trace: { parent: span, texts: context.logContent && entries.owner === '' } }),
    };
    for await (const event of model.stream(request, signal)) {
      if (event.type === 'finish') {
        finish = event;
      } else if (event.type === 'tool-call') {
        calls.push(event.call);
      } else if (event.type === 'retract') {
        said.reasoning += said.text;
        said.text = '';
        journal.appendEntry(entries.laneRetracted(plan), plan);
      } else {
        const left = MAX_ANSWER - said.text.length - said.reasoning.length;
        const text = event.text.slice(0, left);
        said[event.type] += text;
        if (text !== '') journal.appendDelta(plan, event.type, text);
        if (event.text.length > left) throw new LlmError('llm_too_long');
      }
    }
    if (!finish) throw new LlmError('llm_truncated');
    if (said.text.trim() === '' && calls.length === 0) throw new LlmError('llm_empty');
    const finished = entries.laneFinished(plan, finish);
    journal.appendEntry(finished, plan);
    observer.onEntry(generationCopy(finished, entries.owner, content(said.text)));
    observer.onGenerationEnded({ lane: plan, durationMs: finish.durationMs, finish });
    const { inputTokens, outputTokens, reported } = finish.usage;
    const usage = reported ? { inputTokens, outputTokens } : estimate();
    return { ok: true, text: said.text, usage, cut: finish.reason === 'length', calls };
  } catch (caught) {
    const error = caught instanceof LlmError ? caught : new LlmError('llm_invalid_response');
    const durationMs = performance.now() - began;
    const partial = said.text !== '' || said.reasoning !== '';
    const failed = entries.laneFailed(plan, error, partial, durationMs);
    journal.appendEntry(failed, plan);
    observer.onEntry(generationCopy(failed, entries.owner, content(said.text)));
    observer.onGenerationEnded({ lane: plan, durationMs, error });
    const usage = partial ? estimate() : { inputTokens: 0, outputTokens: 0 };
    return { ok: false, text: said.text, usage, error };
  }
}
