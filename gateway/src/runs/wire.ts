// A run's entries as the events of POST /api/process. Pure: the same entries give the same stream, live or replayed.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCut, RUN_END } from '@llm-streamer/shared/run.ts';
import { RUN_ERRORS } from './run-errors.ts';

export interface WireData {
  message_id: string;
  conversation_id?: string;
  status: string;
  /** The lane that says it; absent where the run as a whole does. */
  source?: string;
  message?: string;
  /** A stable code, on `error`. */
  code?: string;
  /** On `error`: some text had come, and stays valid as far as it goes. */
  partial?: boolean;
  /** On `thinking`: all that its source has said as `Streaming` so far was reasoning; its answer follows. */
  retracts?: true;
  /** Of an answer that was cut off at its limit of tokens: a task's, or on `done` the combiner's. */
  finish_reason?: 'length';
  /** True on the last event of the run. */
  final?: boolean;
  /** Of all lanes, on the last event. */
  usage?: { input_tokens: number; output_tokens: number; estimated?: true };
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
      if (!isCut(attrs) || attrs.role === 'combiner') return undefined; // the combiner's is told with `done`
      return { event: 'thinking', data: { ...about, status: 'Cut', ...source, finish_reason: 'length' } };
    case EVENTS.generationFailed:
      return {
        event: 'error',
        data: { ...about, status: 'Failed', ...source, ...failure(entry), final: false },
      };
    case EVENTS.runFinished:
      return {
        event: 'done',
        data: {
          ...about,
          status: 'Completed',
          source: String(attrs.combiner),
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
        data: { ...about, status: END_STATUS[event], ...failure(entry), final: true, usage: usageOf(entry) },
      };
    default:
      return undefined;
  }
}

/** Said in place of entries that are no longer kept. */
export function trimmedEvent(messageId: string): WireEvent {
  const message = RUN_ERRORS.history_trimmed;
  const about = { message_id: messageId, status: 'Incomplete', code: 'history_trimmed', message };
  return { event: 'error', data: { ...about, partial: true, final: false } };
}

/** Said, as the last event, of a run that the log has lost: its record is gone, and nothing will follow. */
export function lostEvent(messageId: string): WireEvent {
  const about = { message_id: messageId, status: END_STATUS[EVENTS.runLost], code: 'run_lost' };
  const message = 'The log has lost this run.';
  return { event: 'error', data: { ...about, message, partial: true, final: true } };
}

const END_STATUS = {
  [EVENTS.runFailed]: 'Failed',
  [EVENTS.runCancelled]: 'Cancelled',
  [EVENTS.runLost]: 'Lost',
} as const;

/** Whether no event can follow. */
export function isEnd({ event }: Entry): boolean {
  return event !== undefined && Object.hasOwn(RUN_END, event);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function usageOf({ attrs = {} }: Entry): NonNullable<WireData['usage']> {
  return {
    input_tokens: Number(attrs.input_tokens),
    output_tokens: Number(attrs.output_tokens),
    ...(attrs.estimated === true && { estimated: true }),
  };
}

function failure({ msg, attrs = {} }: Entry): Pick<WireData, 'code' | 'message' | 'partial'> {
  const code = attrs[GEN_AI.errorType];
  return { code: typeof code === 'string' ? code : 'unknown', message: msg, partial: attrs.partial === true };
}
