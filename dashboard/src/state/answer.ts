// The answer to one question, from the entries of its run alone: what the model has said in each step, and the calls of tools that it
// has asked for. A pure reducer, so a reload, another tab and a reconnect show the same.

import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCut, RUN_END, type RunState } from '@llm-streamer/shared/run.ts';
import { reduceCalls, type ToolCallSnapshot } from '@llm-streamer/shared/tool-calls.ts';

/** One answer of the model: the last step holds the answer to the question, those before it ask for calls. */
export interface Step {
  number: number;
  text: string;
  reasoning: string;
  /** Each time is in epoch milliseconds by the writer's clock, and 0 until what it names has happened. */
  started: number;
  ended: number;
  inputTokens: number;
  /** An estimate until the step has ended. */
  outputTokens: number;
  cut?: true;
  error?: { code: string; message: string };
}

export interface Answer {
  /** Of its run. */
  id: string;
  channel: string;
  /** Undefined while it is not known, and where the log no longer has it. */
  question: string | undefined;
  agent: string;
  /** The run whose question was edited, so that this one took its place. */
  replaces?: string;
  state: RunState;
  started: number;
  ended: number;
  steps: readonly Step[];
  calls: readonly ToolCallSnapshot[];
  /** The entry of the log with which each call begins, by the id of the call. */
  entries: ReadonlyMap<string, string>;
  usage?: { input: number; output: number; isEstimate: boolean };
  /** Why it ended, unless it is finished. */
  error?: { code: string; message: string };
  /** Set where its first entries are no longer kept. */
  isTrimmed?: true;
  /** The limit at which the agent had to answer with what it had. */
  limit?: string;
  /** Calls of which nobody knows whether they had their effect. */
  unverified: readonly string[];
  /** The position of the newest entry. */
  last: number;
}

export function newAnswer(id: string, channel: string, more: Partial<Answer> = {}): Answer {
  const nothing = {
    question: undefined,
    agent: '',
    started: 0,
    ended: 0,
    steps: [],
    calls: [],
    unverified: [],
    last: 0,
  };
  return { id, channel, state: 'running', ...nothing, entries: new Map(), ...more };
}

/** Returns the answer after `entry`; an entry that it has, or that says nothing of it, changes nothing. It does not modify its argument. */
export function reduceAnswer(answer: Answer, entry: Entry): Answer {
  const position = parsePosition(entry.id ?? '') ?? 0;
  if (position <= answer.last) return answer;
  return { ...take(answer, entry), last: position };
}

function take(answer: Answer, entry: Entry): Answer {
  const { event = '', msg, time, attrs = {} } = entry;
  if (Object.hasOwn(RUN_END, event)) return finish(answer, entry);
  switch (event) {
    case EVENTS.runStarted:
      return {
        ...answer,
        started: time,
        agent: text(attrs[GEN_AI.agent]),
        ...(typeof attrs.replaces === 'string' && { replaces: attrs.replaces }),
      };
    case EVENTS.conversationTurn:
      return { ...answer, question: msg };
    case EVENTS.generationStarted:
      return {
        ...answer,
        steps: [...answer.steps, newStep(count(attrs.step) || answer.steps.length + 1, time, attrs)],
      };
    case EVENTS.generationDelta:
    case EVENTS.generationRetracted:
    case EVENTS.generationFinished:
    case EVENTS.generationFailed: {
      // The first entry of a step may no longer be kept.
      const steps = answer.steps.length > 0 ? answer.steps : [newStep(1, time, {})];
      return { ...answer, steps: steps.with(-1, reduceStep(steps.at(-1) as Step, entry)) };
    }
    default: {
      const calls = reduceCalls(answer.calls, entry);
      const id = text(attrs[GEN_AI.toolCallId]);
      if (calls === answer.calls || answer.entries.has(id)) return { ...answer, calls };
      return { ...answer, calls, entries: new Map([...answer.entries, [id, entry.id ?? '']]) };
    }
  }
}

function newStep(number: number, time: number, attrs: Readonly<Record<string, unknown>>): Step {
  const tokens = { inputTokens: count(attrs[ATTRS.tokens]), outputTokens: 0 };
  return { number, text: '', reasoning: '', started: time, ended: 0, ...tokens };
}

function reduceStep(step: Step, { event, msg, time, attrs = {} }: Entry): Step {
  switch (event) {
    case EVENTS.generationDelta: {
      const outputTokens = step.outputTokens + count(attrs[ATTRS.tokens]);
      if (attrs.kind === 'reasoning') return { ...step, outputTokens, reasoning: step.reasoning + msg };
      return { ...step, outputTokens, text: step.text + msg };
    }
    case EVENTS.generationRetracted:
      return { ...step, reasoning: step.reasoning + step.text, text: '' };
    case EVENTS.generationFailed:
      return { ...step, ended: time, error: errorOf(msg, attrs) };
    default:
      return {
        ...step,
        ended: time,
        inputTokens: count(attrs[GEN_AI.inputTokens]) || step.inputTokens,
        outputTokens: count(attrs[GEN_AI.outputTokens]) || step.outputTokens,
        ...(isCut(attrs) && { cut: true }),
      };
  }
}

function finish(answer: Answer, { event = '', msg, time, attrs = {} }: Entry): Answer {
  const state = RUN_END[event] as RunState;
  const { input_tokens: input, output_tokens: output, estimated, limit, unverified } = attrs;
  return {
    ...answer,
    state,
    ended: time,
    usage: { input: count(input), output: count(output), isEstimate: estimated === true },
    ...(state !== 'finished' && { error: errorOf(msg, attrs) }),
    ...(typeof limit === 'string' && { limit }),
    unverified: Array.isArray(unverified) ? unverified.filter((id) => typeof id === 'string') : [],
  };
}

/** What the answer says, without what was said between calls. */
export function finalText({ steps }: Answer): string {
  return steps.at(-1)?.text ?? '';
}

function errorOf(
  message: string,
  attrs: Readonly<Record<string, unknown>>,
): { code: string; message: string } {
  return { code: text(attrs[GEN_AI.errorType]) || 'unknown', message };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
