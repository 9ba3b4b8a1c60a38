// Turns a run's entries into the events of POST /api/process. The same entries give the same events, live or replayed.

import type { RunUsage } from '@llm-streamer/shared/api-types.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCut, RUN_END } from '@llm-streamer/shared/run.ts';
import { RUN_ERRORS } from './run-errors.ts';
import type { RunIdentity } from './run-plan.ts';

export interface WireData {
  message_id: string;
  conversation_id?: string;
  status: string;
  /** The lane; absent if the event is about the run as a whole. */
  source?: string;
  message?: string;
  /** A stable code, on `error`. */
  code?: string;
  /** On `error`: a part of the text has come, and stays valid. */
  partial?: boolean;
  /** On `thinking`: all text of this source with the status `Streaming` so far was reasoning; the answer follows. */
  retracts?: true;
  /** The answer was cut off at its limit of tokens: that of a task, or on `done` that of the combiner. */
  finish_reason?: 'length';
  /** True on the last event of the run. */
  final?: boolean;
  /** The tokens of all lanes together, on the last event. */
  usage?: RunUsage;
}

export interface WireEvent {
  event: 'thinking' | 'content' | 'error' | 'done';
  data: WireData;
}

/** The event that an entry becomes; `undefined` for entries that this stream does not show. */
export function wireEvent(entry: Entry, messageId: string): WireEvent | undefined {
  const { event, msg, attrs = {} } = entry;
  const lane = attrs[ATTRS.lane];
  const conversation = attrs[GEN_AI.conversationId];
  const about = {
    message_id: messageId,
    ...(typeof conversation === 'string' && { conversation_id: conversation }),
  };
  const source = typeof lane === 'string' ? { source: lane } : {};
  switch (event) {
    case EVENTS.generationStarted:
      return { event: 'thinking', data: { ...about, status: msg, ...source } };
    case EVENTS.generationDelta: {
      if (attrs.kind === 'reasoning')
        return { event: 'thinking', data: { ...about, status: 'Reasoning', ...source, message: msg } };
      const kind = attrs.role === 'combiner' ? 'content' : 'thinking';
      return { event: kind, data: { ...about, status: 'Streaming', ...source, message: msg } };
    }
    case EVENTS.generationRetracted:
      return { event: 'thinking', data: { ...about, status: 'Reasoning', ...source, retracts: true } };
    case EVENTS.generationFinished:
      if (!isCut(attrs) || attrs.role === 'combiner') return undefined; // for the combiner, `done` says it
      return { event: 'thinking', data: { ...about, status: 'Cut', ...source, finish_reason: 'length' } };
    case EVENTS.generationFailed:
      return {
        event: 'error',
        data: { ...about, status: 'Failed', ...source, ...failureOf(entry), final: false },
      };
    case EVENTS.runFinished:
      return {
        event: 'done',
        data: {
          ...about,
          status: 'Completed',
          source: typeof attrs.combiner === 'string' ? attrs.combiner : '',
          final: true,
          usage: usageOf(entry),
          ...(listOf(attrs.cut).includes(attrs.combiner) && { finish_reason: 'length' }),
        },
      };
    case EVENTS.runFailed:
    case EVENTS.runCancelled:
    case EVENTS.runLost:
      return {
        event: 'error',
        data: {
          ...about,
          status: END_STATUS[event],
          ...failureOf(entry),
          final: true,
          usage: usageOf(entry),
        },
      };
    default:
      return undefined;
  }
}

/** What is known of a run besides its entries, and never changes. */
export type StreamedRun = Pick<RunIdentity, 'id' | 'conversationId'>;

/** What each event of a run says of it. */
export function aboutOf({ id, conversationId }: StreamedRun) {
  return { message_id: id, ...(conversationId !== undefined && { conversation_id: conversationId }) };
}

/** Sent instead of entries that are no longer kept. */
export function trimmedEvent(run: StreamedRun, status = 'Incomplete'): WireEvent {
  const why = { code: 'history_trimmed', message: RUN_ERRORS.history_trimmed };
  return { event: 'error', data: { ...aboutOf(run), status, ...why, partial: true, final: false } };
}

/** The last event of a run that the log has lost: its record is gone, and no entry will follow. */
export function lostEvent(run: StreamedRun, status: string = END_STATUS[EVENTS.runLost]): WireEvent {
  const why = { code: 'run_lost', message: 'The log has lost this run.' };
  return { event: 'error', data: { ...aboutOf(run), status, ...why, partial: true, final: true } };
}

const END_STATUS = {
  [EVENTS.runFailed]: 'Failed',
  [EVENTS.runCancelled]: 'Cancelled',
  [EVENTS.runLost]: 'Lost',
} as const;

/** Whether the entry is the last one of its run. */
export function isEnd({ event }: Entry): boolean {
  return event !== undefined && Object.hasOwn(RUN_END, event);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function usageOf({ attrs = {} }: Entry): RunUsage {
  return {
    input_tokens: countOf(attrs.input_tokens),
    output_tokens: countOf(attrs.output_tokens),
    ...(attrs.estimated === true && { estimated: true }),
  };
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

export function failureOf({ msg, attrs = {} }: Entry): Pick<WireData, 'code' | 'message' | 'partial'> {
  const code = attrs[GEN_AI.errorType];
  return { code: typeof code === 'string' ? code : 'unknown', message: msg, partial: attrs.partial === true };
}
