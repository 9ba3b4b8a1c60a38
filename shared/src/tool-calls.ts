// Computes what has become of the calls of tools of a run from its entries alone, as run.ts does for its lanes.

import type { Entry } from './entry.ts';
import { EVENTS } from './events.ts';
import { ATTRS, GEN_AI } from './gen-ai.ts';

/** UTF-16 units of what the one who decides about a call may say of it. */
export const MAX_REASON = 500;

/** `waiting` for consent; `refused` is a call that was never made. */
export type ToolCallState = 'waiting' | 'called' | 'returned' | 'failed' | 'refused';

export interface ToolCallSnapshot {
  id: string;
  tool: string;
  /** Of the agent: which of its model's answers asks for it. */
  step: number;
  state: ToolCallState;
  args?: unknown;
  /** Epoch milliseconds by the writer's clock, and 0 until the call is made. */
  called: number;
  /** As the model got it; of a call that failed the sentence of its code. */
  result?: string;
  duration_s?: number;
  code?: string;
  /** How consent was asked for, and what was decided. */
  approval?: {
    reason: string;
    expires: number;
    approved?: boolean;
    /** Absent also where nobody signs in. */
    by?: string;
    /** What the one who has decided says of it. */
    decision_reason?: string;
  };
}

/** `listings__findListings` becomes `listings: find listings`. */
export function toolWords(tool: string): string {
  const at = tool.indexOf('__');
  const server = at < 0 ? '' : `${tool.slice(0, at)}: `;
  const name = (at < 0 ? tool : tool.slice(at + 2))
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ');
  return server + name.toLowerCase().trim();
}

/** Returns the calls after `entry`; an entry that is not about a call changes nothing. It does not modify its argument. */
export function reduceCalls(calls: readonly ToolCallSnapshot[], entry: Entry): readonly ToolCallSnapshot[] {
  const { event, attrs = {} } = entry;
  const id = attrs[GEN_AI.toolCallId];
  if (event === undefined || typeof id !== 'string') return calls;
  const at = calls.findIndex((call) => call.id === id);
  const before = calls[at] ?? newCall(id, attrs);
  const after = reduceCall(before, entry);
  if (!after) return calls;
  return at < 0 ? [...calls, after] : calls.with(at, after);
}

/** The calls of which nobody knows whether they have done what they were asked. */
export function unverifiedOf(calls: readonly ToolCallSnapshot[]): string[] {
  return calls.flatMap(({ id, state }) => (state === 'called' ? [id] : []));
}

function newCall(id: string, attrs: Readonly<Record<string, unknown>>): ToolCallSnapshot {
  return { id, tool: textOf(attrs[GEN_AI.tool]), step: numberOf(attrs.step), state: 'waiting', called: 0 };
}

function reduceCall(
  call: ToolCallSnapshot,
  { event, msg, time, attrs = {} }: Entry,
): ToolCallSnapshot | undefined {
  const args = attrs.arguments !== undefined && { args: attrs.arguments };
  switch (event) {
    case EVENTS.toolAsked:
      return {
        ...call,
        ...args,
        state: 'waiting',
        approval: { reason: textOf(attrs.reason), expires: numberOf(attrs.expires) },
      };
    case EVENTS.toolDecided:
      if (!call.approval) return undefined;
      return {
        ...call,
        approval: {
          ...call.approval,
          approved: attrs.approved === true,
          ...(typeof attrs.by === 'string' && { by: attrs.by }),
          ...(typeof attrs.reason === 'string' && { decision_reason: attrs.reason }),
        },
      };
    case EVENTS.toolCalled:
      return { ...call, ...args, state: 'called', called: time };
    case EVENTS.toolReturned: {
      const code = attrs[GEN_AI.errorType];
      const failed = attrs.called === false ? 'refused' : 'failed';
      return {
        ...call,
        ...args,
        state: typeof code === 'string' ? failed : 'returned',
        result: msg,
        duration_s: numberOf(attrs[ATTRS.duration]),
        ...(typeof code === 'string' && { code }),
      };
    }
    default:
      return undefined;
  }
}

/** An object is no text: it may have a `toString` that throws. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
