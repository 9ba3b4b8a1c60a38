// What is remembered of one alert, in a bounded space, and whether its condition holds. It is plain data: it goes to the store as JSON
// with the position up to which the rules have read, so that the next gateway goes on where this one stopped.

import type { Hit, Seen } from '../detector.ts';
import type { Alert } from '../rules-file.ts';
import { attribute, type Group } from './group.ts';
import { type Counts, count, total } from './window.ts';

export interface Cause {
  channel: string;
  id: string;
}

/** Times are those of the log's clock, in epoch ms. */
export interface AlertState {
  rule: string;
  /** Of the rule for which this holds. */
  version: string;
  group?: Group;
  /** The newest entry that met the rule. */
  seen: number;
  cause?: Cause;
  /** How many entries met the rule; for a share also those of them that are counted against the others. */
  counts?: Counts;
  part?: Counts;
  /** The newest number, and since when it is beyond the bound. */
  value?: number;
  beyond?: number;
  /** Set while it fires. `met` counts the entries that met the rule meanwhile. */
  firing?: { since: number; met: number; cause?: Cause };
  /** When it last began to fire. */
  fired?: number;
}

export interface Measured {
  holds: boolean;
  value?: number;
  bound?: number;
}

/** Takes in one entry that met the rule. */
export function observe(
  state: AlertState,
  alert: Alert,
  { groups, isPart }: Hit,
  { entry, at, id }: Seen,
): void {
  state.seen = Math.max(state.seen, at);
  state.cause = { channel: entry.channel, id };
  if (state.firing !== undefined) state.firing.met++;
  switch (alert.when) {
    case 'count':
    case 'rate':
      state.counts ??= [];
      count(state.counts, at, alert.within);
      break;
    case 'share':
      state.counts ??= [];
      count(state.counts, at, alert.within);
      if (isPart) {
        state.part ??= [];
        count(state.part, at, alert.within);
      }
      break;
    case 'value': {
      const value = numberOf(
        Object.hasOwn(groups, alert.of) ? groups[alert.of] : attribute(entry.attrs, alert.of),
      );
      if (value === undefined) break;
      state.value = value;
      if (!isBeyond(alert, value)) delete state.beyond;
      else state.beyond ??= at;
    }
  }
}

/** @param watched since when the log has been read without a pause: what came during a pause nobody can miss. */
export function measure(state: AlertState, alert: Alert, now: number, watched: number): Measured {
  switch (alert.when) {
    case 'match':
      return { holds: now - state.seen < alert.quiet, value: state.firing?.met ?? 1 };
    case 'count': {
      const value = total(state.counts ?? [], now, alert.within);
      return { holds: value >= alert.bound, value, bound: alert.bound };
    }
    case 'rate': {
      const value = (total(state.counts ?? [], now, alert.within) * 1_000) / alert.within;
      return { holds: value > alert.above, value, bound: alert.above };
    }
    case 'share': {
      const all = total(state.counts ?? [], now, alert.within);
      const value = all === 0 ? 0 : total(state.part ?? [], now, alert.within) / all;
      return { holds: all >= alert.at_least && value > alert.above, value, bound: alert.above };
    }
    case 'value': {
      const bound = alert.above ?? alert.below ?? 0;
      const holds = state.beyond !== undefined && now - state.beyond >= (alert.for ?? 0);
      return { holds, ...(state.value !== undefined && { value: state.value }), bound };
    }
    case 'absent': {
      const value = Math.max(0, now - Math.max(state.seen, watched));
      return { holds: value >= alert.for, value: Math.floor(value / 1_000), bound: alert.for / 1_000 };
    }
  }
}

/** Whether the alert may be forgotten: nothing that it remembers would make a difference. */
export function isIdle(state: AlertState, alert: Alert, now: number): boolean {
  if (state.firing !== undefined || now - (state.fired ?? Number.NEGATIVE_INFINITY) < alert.cooldown)
    return false;
  switch (alert.when) {
    case 'match':
      return now - state.seen >= alert.quiet;
    case 'count':
    case 'rate':
    case 'share':
      return total(state.counts ?? [], now, alert.within) === 0;
    case 'value':
      return state.beyond === undefined;
    case 'absent':
      return false;
  }
}

function isBeyond({ above, below }: Extract<Alert, { when: 'value' }>, value: number): boolean {
  return above !== undefined ? value > above : value < (below ?? Number.NEGATIVE_INFINITY);
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
