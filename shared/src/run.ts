// Computes the state of a run from its entries alone: a pure reducer that the gateway and the page share.

import type { Entry } from './entry.ts';
import { EVENTS } from './events.ts';
import { ATTRS, GEN_AI } from './gen-ai.ts';

/** A run is `running` first, and then in exactly one of the other states. */
export const RUN_STATES = ['running', 'finished', 'failed', 'cancelled', 'lost'] as const;
export type RunState = (typeof RUN_STATES)[number];
export type EndState = Exclude<RunState, 'running'>;

export type LaneState = 'waiting' | 'streaming' | 'finished' | 'failed' | 'stopped';

/** A combiner is the last lane of a run: it combines the answers of the tasks. An agent is the only lane of its run: it may call tools. */
export type LaneRole = 'task' | 'combiner' | 'agent';

/** The name of a lane, and the model that answers in it. */
export interface LaneInfo {
  lane: string;
  role: LaneRole;
  provider: string;
  model: string;
}

/** A lane after the entries that have come so far. */
export interface LaneSnapshot extends LaneInfo {
  state: LaneState;
  text: string;
  reasoning: string;
  /** Each of these times is in epoch milliseconds by the writer's clock, and 0 until what it names has happened. */
  started: number;
  firstContent: number;
  ended: number;
  /** An estimate while the lane streams, and if it fails. If it finishes, the number that the model reports. */
  outputTokens: number;
  inputTokens: number;
  /** Of a lane that calls its model several times: what the calls before this one have used, and how long `text` was before it. */
  earlier?: { inputTokens: number; outputTokens: number; textLength: number };
  /** The model has reached its limit of tokens, so the text ends early. */
  cut?: true;
  /** A stable code and a sentence, if the lane has failed. */
  error?: { code: string; message: string };
}

/** A run after the entries that have come so far. */
export interface RunSnapshot {
  id: string;
  state: RunState;
  conversationId?: string;
  promptVersion?: string;
  /** The agent that does the run, if it is an agent's. */
  agent?: string;
  started: number;
  ended: number;
  /** In the order of the run's plan, the combiner last. */
  lanes: LaneSnapshot[];
  error?: { code: string; message: string };
}

export const RUN_END: Readonly<Record<string, EndState>> = {
  [EVENTS.runFinished]: 'finished',
  [EVENTS.runFailed]: 'failed',
  [EVENTS.runCancelled]: 'cancelled',
  [EVENTS.runLost]: 'lost',
};

/**
 * A run of which no entry has come yet. @param lanes are needed where the first entry, which names them, may no longer be
 * kept.
 */
export function newRun(id: string, lanes: readonly LaneInfo[] = []): RunSnapshot {
  return { id, state: 'running', started: 0, ended: 0, lanes: lanes.map(newLane) };
}

function newLane({ lane, role, provider, model }: LaneInfo): LaneSnapshot {
  const nothing = { text: '', reasoning: '', started: 0, firstContent: 0, ended: 0 };
  return { lane, role, state: 'waiting', provider, model, ...nothing, outputTokens: 0, inputTokens: 0 };
}

/** Returns the run after `entry`; an entry that is not about the run changes nothing. It does not modify its argument. */
export function reduceRun(run: RunSnapshot, entry: Entry): RunSnapshot {
  const { event, attrs = {} } = entry;
  if (event === undefined || run.state !== 'running') return run;
  if (event === EVENTS.runStarted) return start(run, entry);
  const end = Object.hasOwn(RUN_END, event) ? RUN_END[event] : undefined;
  if (end !== undefined) return finish(run, entry, end);
  const name = text(attrs[ATTRS.lane]);
  const at = run.lanes.findIndex(({ lane }) => lane === name);
  const lane = run.lanes[at];
  if (!lane) return run;
  return { ...run, lanes: run.lanes.with(at, reduceLane(lane, entry)) };
}

function start(run: RunSnapshot, entry: Entry): RunSnapshot {
  const { attrs = {} } = entry;
  const plan = Array.isArray(attrs.lanes) ? attrs.lanes.filter(isObject) : [];
  const conversationId = text(attrs[GEN_AI.conversationId]);
  const agent = text(attrs[GEN_AI.agent]);
  return {
    ...run,
    started: entry.time,
    promptVersion: text(attrs[GEN_AI.promptVersion]),
    ...(conversationId !== '' && { conversationId }),
    ...(agent !== '' && { agent }),
    lanes: plan.map(({ lane, role, provider, model }) =>
      newLane({ lane: text(lane), role: roleOf(role), provider: text(provider), model: text(model) }),
    ),
  };
}

function finish(run: RunSnapshot, entry: Entry, state: EndState): RunSnapshot {
  const lanes = run.lanes.map((lane): LaneSnapshot => {
    if (lane.state !== 'streaming' && lane.state !== 'waiting') return lane;
    return { ...lane, state: 'stopped', ended: lane.started > 0 ? entry.time : 0 };
  });
  const failed = state !== 'finished' && { error: errorOf(entry) };
  return { ...run, state, ended: entry.time, lanes, ...failed };
}

function reduceLane(lane: LaneSnapshot, { event, time, msg, attrs = {} }: Entry): LaneSnapshot {
  switch (event) {
    case EVENTS.generationStarted: {
      const { inputTokens, outputTokens } = lane;
      const said = lane.text === '' ? '' : `${lane.text}\n\n`;
      return {
        ...lane,
        state: 'streaming',
        text: said,
        started: lane.started || time,
        ...(lane.started > 0 && { earlier: { inputTokens, outputTokens, textLength: said.length } }),
        inputTokens: inputTokens + count(attrs[ATTRS.tokens]),
      };
    }
    case EVENTS.generationDelta:
      return {
        ...lane,
        state: lane.state === 'waiting' ? 'streaming' : lane.state,
        firstContent: lane.firstContent || time,
        outputTokens: lane.outputTokens + count(attrs[ATTRS.tokens]),
        ...(attrs.kind === 'reasoning' ? { reasoning: lane.reasoning + msg } : { text: lane.text + msg }),
      };
    case EVENTS.generationRetracted:
      return {
        ...lane,
        reasoning: lane.reasoning + lane.text.slice(lane.earlier?.textLength ?? 0),
        text: lane.text.slice(0, lane.earlier?.textLength ?? 0),
      };
    case EVENTS.generationFinished: {
      const { inputTokens, outputTokens } = lane.earlier ?? { inputTokens: 0, outputTokens: 0 };
      const given = count(attrs[GEN_AI.inputTokens]);
      const made = count(attrs[GEN_AI.outputTokens]);
      return {
        ...lane,
        state: 'finished',
        ...(isCut(attrs) && { cut: true }),
        ended: time,
        inputTokens: given > 0 ? inputTokens + given : lane.inputTokens,
        outputTokens: made > 0 ? outputTokens + made : lane.outputTokens,
      };
    }
    case EVENTS.generationFailed:
      if (isCancelled(attrs)) return { ...lane, state: 'stopped', ended: time };
      return { ...lane, state: 'failed', ended: time, error: errorOf({ msg, attrs }) };
    default:
      return lane;
  }
}

/** The `error.type` of what was ended because somebody wished it. It comes with the event of a failure, and is none. */
export const CANCELLED = 'cancelled';

/** Whether the attributes of a failed generation say that somebody has ended it. */
export function isCancelled(attrs: Readonly<Record<string, unknown>>): boolean {
  return attrs[GEN_AI.errorType] === CANCELLED;
}

/** Whether the attributes of a finished generation say that it has reached its limit of tokens. */
export function isCut(attrs: Readonly<Record<string, unknown>>): boolean {
  const reasons = attrs[GEN_AI.finishReasons];
  return Array.isArray(reasons) && reasons.includes('length');
}

function errorOf({ msg, attrs = {} }: Pick<Entry, 'msg' | 'attrs'>): { code: string; message: string } {
  return { code: text(attrs[GEN_AI.errorType]) || 'unknown', message: msg };
}

/** A role that is not known is a task. */
function roleOf(value: unknown): LaneRole {
  return value === 'combiner' || value === 'agent' ? value : 'task';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
