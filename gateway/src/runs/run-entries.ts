// Makes the entries of one run: one for each step, on the run's own channel, and copies for the channels of
// the owner's runs and of all calls.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import { ownedKey, runChannel, runEventsChannel } from '@llm-streamer/shared/ownership.ts';
import type { EndState } from '@llm-streamer/shared/run.ts';
import { answerAttributes, failureAttributes, requestAttributes, seconds } from '../llm/call-attributes.ts';
import type { LlmError } from '../llm/failure.ts';
import type { LlmFinish } from '../llm/model.ts';
import { type LanePlan, laneInfos, type RunIdentity } from './run-plan.ts';
import type { RunTotals } from './usage.ts';

/** The kind of a run, as entries, spans and metrics name it. */
export function workflowOf({ agent }: Pick<RunIdentity, 'agent'>): 'process' | 'agent' {
  return agent === undefined ? 'process' : 'agent';
}

const END_EVENT = {
  finished: EVENTS.runFinished,
  failed: EVENTS.runFailed,
  cancelled: EVENTS.runCancelled,
  lost: EVENTS.runLost,
} as const satisfies Record<EndState, string>;

export class RunEntries {
  readonly #run: RunIdentity;
  readonly #source: string;

  /** @param source the label of this gateway. */
  constructor(run: RunIdentity, source: string) {
    this.#run = run;
    this.#source = source;
  }

  /** Whose run it is. */
  get owner(): string {
    return this.#run.owner;
  }

  runStarted(lanes: readonly LanePlan[], attrs: Record<string, unknown> = {}): EntryFields {
    const { agent, replaces } = this.#run;
    const tasks = lanes.length - 1;
    const what =
      agent === undefined ? `${tasks} ${tasks === 1 ? 'task' : 'tasks'} and a combiner` : `agent ${agent}`;
    return this.entry(EVENTS.runStarted, `run started: ${what}`, {
      [GEN_AI.workflow]: workflowOf(this.#run),
      lanes: laneInfos(lanes),
      ...(replaces !== undefined && { replaces }),
      ...attrs,
    });
  }

  /** @param code the reason, for every end but `finished`. */
  runEnded(
    state: EndState,
    msg: string,
    totals: RunTotals,
    attrs: Record<string, unknown>,
    code?: string,
  ): EntryFields {
    const level = state === 'finished' || state === 'cancelled' ? 'info' : 'error';
    return this.entry(
      END_EVENT[state],
      msg,
      {
        [GEN_AI.workflow]: workflowOf(this.#run),
        ...(code !== undefined && { [GEN_AI.errorType]: code }),
        input_tokens: totals.inputTokens,
        output_tokens: totals.outputTokens,
        ...(totals.estimated && { estimated: true }),
        [ATTRS.duration]: seconds(totals.durationMs),
        ...attrs,
      },
      level,
    );
  }

  /**
   * @param number of the call: that of the lane among those of the run, or of an agent's step.
   * @param tokens an estimate of what the model gets.
   */
  laneStarted(lane: LanePlan, number: number, tokens: number): EntryFields {
    const { role, prompt } = lane;
    const msg = role === 'combiner' ? `Combining via LLM ${number}` : `Sending to ${prompt.name}`;
    const attrs = {
      ...this.#laneAttrs(lane),
      [ATTRS.tokens]: tokens,
      ...(role === 'agent' && { step: number }),
    };
    return this.entry(EVENTS.generationStarted, msg, attrs);
  }

  delta({ prompt, role }: LanePlan, kind: 'text' | 'reasoning', text: string): EntryFields {
    const attrs = {
      [ATTRS.lane]: prompt.name,
      ...(role !== 'task' && { role }),
      [ATTRS.tokens]: Math.max(1, Math.round(text.length / 4)),
      ...(kind === 'reasoning' && { kind }),
    };
    return { ...this.#base(), level: 'debug', msg: text, event: EVENTS.generationDelta, attrs };
  }

  /** Says that the lane's text so far was reasoning. */
  laneRetracted({ prompt, role }: LanePlan): EntryFields {
    const attrs = { [ATTRS.lane]: prompt.name, role };
    const msg = `what ${prompt.name} said so far was reasoning`;
    return { ...this.#base(), level: 'debug', msg, event: EVENTS.generationRetracted, attrs };
  }

  laneFinished(lane: LanePlan, finish: LlmFinish): EntryFields {
    const duration = finish.durationMs / 1000;
    const { outputTokens, reported } = finish.usage;
    const size = reported
      ? `: ${outputTokens} tokens in ${duration.toFixed(1)} s (${Math.round(outputTokens / Math.max(duration, 0.001))} tok/s)`
      : ` after ${duration.toFixed(1)} s`;
    const isCut = finish.reason === 'length';
    const ending = isCut ? 'was cut off at its limit of tokens' : 'finished';
    return this.entry(
      EVENTS.generationFinished,
      `${lane.prompt.name} ${ending}${size}`,
      {
        ...this.#laneAttrs(lane),
        ...answerAttributes(finish),
        [ATTRS.duration]: seconds(finish.durationMs),
      },
      isCut ? 'warn' : 'info',
    );
  }

  /** @param partial whether a part of the answer has come. */
  laneFailed(lane: LanePlan, error: LlmError, partial: boolean, durationMs: number): EntryFields {
    return this.entry(
      EVENTS.generationFailed,
      error.message,
      {
        ...this.#laneAttrs(lane),
        ...failureAttributes(error),
        partial,
        [ATTRS.duration]: seconds(durationMs),
      },
      error.code === 'cancelled' ? 'info' : 'error', // a cancelled call is not a fault
    );
  }

  #laneAttrs({ prompt, target, role }: LanePlan): Record<string, unknown> {
    const { name, temperature, max_tokens } = prompt;
    return {
      [ATTRS.schema]: GEN_AI_SCHEMA,
      [ATTRS.lane]: name,
      role,
      ...requestAttributes({ target, temperature, maxTokens: max_tokens }),
      [GEN_AI.promptName]: name,
    };
  }

  /** Any entry on the run's channel, with what all of them say. */
  entry(
    event: string,
    msg: string,
    attrs: Record<string, unknown>,
    level: EntryFields['level'] = 'info',
  ): EntryFields {
    const { conversationId, promptVersion, traceId, agent } = this.#run;
    return {
      ...this.#base(),
      level,
      msg,
      event,
      attrs: {
        [GEN_AI.promptVersion]: promptVersion,
        ...(conversationId !== undefined && { [GEN_AI.conversationId]: conversationId }),
        ...(agent !== undefined && { [GEN_AI.agent]: agent }),
        ...(traceId !== undefined && { [ATTRS.trace]: traceId }),
        ...attrs,
      },
    };
  }

  #base(): Pick<EntryFields, 'time' | 'channel' | 'source' | 'run'> {
    const { owner, id } = this.#run;
    return { time: Date.now(), channel: runChannel(ownedKey(owner, id)), source: this.#source, run: id };
  }
}

/** The same entry for the channel of the lifecycles of the owner's runs. */
export function lifecycleCopy(entry: EntryFields, owner: string): EntryFields {
  return { ...entry, channel: runEventsChannel(owner) };
}

/** What is told of a model call to those who may not know of the run: how much, how fast, by which model, and with what outcome. */
export const FIGURES: readonly string[] = [
  ATTRS.schema,
  ATTRS.tokens,
  ATTRS.duration,
  GEN_AI.operation,
  GEN_AI.provider,
  GEN_AI.requestModel,
  GEN_AI.inputTokens,
  GEN_AI.outputTokens,
  GEN_AI.timeToFirstChunk,
  GEN_AI.finishReasons,
  GEN_AI.errorType,
  'http.response.status_code',
];

/**
 * The entry for the channel of all model calls. Others than the owner read that channel, so of a run that belongs to somebody it
 * holds figures alone: no run, lane, prompt or conversation, and never the texts. Of a run that belongs to nobody it holds all.
 * @param content attributes with the texts of the messages.
 */
export function generationCopy(
  entry: EntryFields,
  owner: string,
  content?: Record<string, unknown>,
): EntryFields {
  const { attrs = {} } = entry;
  if (owner === '')
    return { ...entry, channel: CHANNELS.generation, ...(content && { attrs: { ...attrs, ...content } }) };
  const { time, source, level, event } = entry;
  const figures = Object.entries(attrs).filter(([name]) => FIGURES.includes(name));
  const msg = `model call ${event?.split('.')[1]}`;
  return {
    time,
    source,
    level,
    msg,
    ...(event !== undefined && { event }),
    channel: CHANNELS.generation,
    attrs: Object.fromEntries(figures),
  };
}
