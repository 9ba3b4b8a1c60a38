// Says in one plain sentence why an alert fires, or that it does so no longer. It quotes nothing of the log but the
// values that `by` names, since the alert may be read, and be sent on, where the log may not: whoever writes `by` chooses what goes out.

import type { Alert, Rule } from '../rules-file.ts';
import type { Group } from './group.ts';

export function firingSentence(rule: Rule, alert: Alert, group: Group | undefined, value: number): string {
  return `${subject(rule, alert, group)}: ${reason(alert, value)}`;
}

export function resolvedSentence(
  rule: string,
  alert: Alert | undefined,
  group: Group | undefined,
  forMs: number,
  why: string,
): string {
  return `${subject({ name: rule }, alert, group)}: resolved after ${span(forMs)}${why}`;
}

function subject({ name }: Pick<Rule, 'name'>, alert: Alert | undefined, group: Group | undefined): string {
  const title = alert?.text ?? name;
  if (group === undefined) return title;
  const of = Object.entries(group).map(([key, value]) => `${key} ${value}`);
  return `${title} (${of.join(', ')})`;
}

function reason(alert: Alert, value: number): string {
  switch (alert.when) {
    case 'match':
      return 'an entry matched';
    case 'count':
      return `${value} ${value === 1 ? 'entry' : 'entries'} within ${span(alert.within)}, bound ${alert.bound}`;
    case 'rate':
      return `${short(value)} entries per second over ${span(alert.within)}, bound ${alert.above}`;
    case 'share':
      return `${percent(value)} of the entries within ${span(alert.within)}, bound ${percent(alert.above)}`;
    case 'value': {
      const side = alert.above !== undefined ? `above ${alert.above}` : `below ${alert.below}`;
      return `${alert.of} is ${short(value)}, ${side}${alert.for === undefined ? '' : ` for ${span(alert.for)}`}`;
    }
    case 'absent':
      return `no entry for ${span(value * 1_000)}`;
  }
}

function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** `90 s`, `5 min`, `3 h`: whole units, since nobody needs more of an alert. */
export function span(ms: number): string {
  if (ms < 120_000) return `${Math.max(1, Math.round(ms / 1_000))} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
