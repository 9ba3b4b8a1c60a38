// All alerts of all rules: which of them fire, and since when. An alert begins to fire at the first entry, or the first second, at
// which its condition holds, once for each cooldown. The number of alerts is bounded: what is beyond shares one alert of its rule.

import type { AlertFields, FiringAlert } from '@llm-streamer/shared/api-types.ts';
import type { Hit, Seen } from '../detector.ts';
import type { Alert, Rule, RuleSet } from '../rules-file.ts';
import { type AlertState, isIdle, measure, observe } from './alert-state.ts';
import { alertId, type Group, groupOf, othersOf } from './group.ts';
import { firingSentence, resolvedSentence } from './sentence.ts';

/** Alerts of one rule, and of all. At about 500 bytes each they take some megabytes. */
const MAX_OF_RULE = 1_000;
const MAX_ALERTS = 10_000;
/** Alerts that fire at a time. Others wait until some of these have ended. */
export const MAX_FIRING = 1_000;
/** After this long an alert of a group that has never come back is given up, such as one of a machine that is gone. */
const FORGET_MS = 24 * 3_600_000;

export interface Transition {
  event: 'firing' | 'resolved';
  at: number;
  alert: FiringAlert;
  /** The destinations that are told. */
  to: readonly string[];
}

/** What has to be kept: the JSON of each, or undefined for what is to be forgotten. */
export interface BookChanges {
  states: Map<string, string | undefined>;
  firing: Map<string, string | undefined>;
}

type AlertRule = Rule & { alert: Alert };

interface Kept {
  state: AlertState;
  /** `seen` as the store has it; undefined if it has nothing of this alert. */
  saved: number | undefined;
}

export class AlertBook {
  readonly #alerts = new Map<string, Kept>();
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  #firingChanges: BookChanges['firing'] = new Map();
  #rules = new Map<string, AlertRule>();
  #firing = 0;

  /** @param saved what a book before has given to be kept, perhaps under other rules */
  constructor({ rules }: RuleSet, saved: Iterable<readonly [string, AlertState]> = []) {
    const alerts = new Map(rules.map(({ name, alert }) => [name, alert]));
    for (const [id, state] of saved) {
      this.#add(id, state).saved = state.seen;
      const alert = alerts.get(state.rule);
      if (state.firing !== undefined) this.#firing++;
      // What fires was kept when it began, and an entry since then would have ended it.
      else if (alert?.when === 'absent') state.seen += tolerance(alert.for);
    }
  }

  get firing(): number {
    return this.#firing;
  }

  /** From now on these rules hold. Alerts of rules that are gone, or say something else now, end. */
  useRules({ rules }: RuleSet, now: number): Transition[] {
    this.#rules = new Map(rules.filter(isAlertRule).map((rule) => [rule.name, rule]));
    const ended: Transition[] = [];
    for (const [id, { state }] of this.#alerts) {
      if (this.#rules.get(state.rule)?.version === state.version) continue;
      const transition = this.#resolve(id, undefined, state, now, ', since its rule has changed');
      if (transition !== undefined) ended.push(transition);
      this.#remove(id, state);
    }
    // What nothing tells apart is expected from the beginning; a group is expected once it has been seen.
    for (const rule of this.#rules.values())
      if (rule.alert.when === 'absent' && rule.alert.by === undefined && !this.#alerts.has(rule.name)) {
        this.#add(rule.name, { rule: rule.name, version: rule.version, seen: now });
        this.#changed.add(rule.name);
      }
    return ended;
  }

  observe(hit: Hit, seen: Seen, watched: number): Transition | undefined {
    const rule = this.#rules.get(hit.rule.name);
    if (rule === undefined) return undefined;
    const { id, kept } = this.#find(rule, groupOf(rule.alert.by, hit, seen), seen.at);
    const { state } = kept;
    observe(state, rule.alert, hit, seen);
    // An absence has a new `seen` with each entry: to keep every one of them would cost a write for each.
    const isNews = rule.alert.when !== 'absent' || state.seen - (kept.saved ?? 0) > tolerance(rule.alert.for);
    if (isNews) this.#changed.add(id);
    return this.#settle(id, rule, state, seen.at, watched);
  }

  /** Looks at all alerts, as time has passed. At most `most` begin or end at once; the others do so at the next look. */
  judge(now: number, watched: number, most: number): Transition[] {
    const transitions: Transition[] = [];
    for (const [id, { state }] of this.#alerts) {
      if (transitions.length >= most) break;
      const rule = this.#rules.get(state.rule);
      if (rule === undefined) continue;
      const gone = isGone(state, rule.alert, now);
      const transition = gone
        ? this.#resolve(id, rule, state, now, ', and given up')
        : this.#settle(id, rule, state, now, watched);
      if (transition !== undefined) transitions.push(transition);
      if (gone || isIdle(state, rule.alert, now)) this.#remove(id, state);
    }
    return transitions;
  }

  /** What has changed since the last call. */
  takeChanges(now: number): BookChanges {
    const states: BookChanges['states'] = new Map();
    for (const id of this.#removed) states.set(id, undefined);
    for (const id of this.#changed) {
      const kept = this.#alerts.get(id);
      if (kept === undefined) continue;
      const rule = this.#rules.get(kept.state.rule);
      const isKept = rule !== undefined && !isIdle(kept.state, rule.alert, now);
      if (isKept) states.set(id, JSON.stringify(kept.state));
      else if (kept.saved !== undefined) states.set(id, undefined);
      kept.saved = isKept ? kept.state.seen : undefined;
    }
    this.#removed.clear();
    this.#changed.clear();
    const firing = this.#firingChanges;
    this.#firingChanges = new Map();
    return { states, firing };
  }

  #find(rule: AlertRule, group: Group | undefined, at: number): { id: string; kept: Kept } {
    const id = alertId(rule.name, group);
    const known = this.#alerts.get(id);
    if (known !== undefined) return { id, kept: known };
    const { by } = rule.alert;
    const isFull = (this.#counts.get(rule.name) ?? 0) >= MAX_OF_RULE || this.#alerts.size >= MAX_ALERTS;
    if (isFull && by !== undefined) {
      const others = othersOf(by);
      const shared = alertId(rule.name, others);
      return { id: shared, kept: this.#alerts.get(shared) ?? this.#add(shared, stateOf(rule, others, at)) };
    }
    return { id, kept: this.#add(id, stateOf(rule, group, at)) };
  }

  #settle(
    id: string,
    rule: AlertRule,
    state: AlertState,
    now: number,
    watched: number,
  ): Transition | undefined {
    const { alert } = rule;
    const { holds, value = 0, bound } = measure(state, alert, now, watched);
    if (state.firing !== undefined) {
      const why = alert.when === 'match' ? `, ${state.firing.met} entries matched` : '';
      return holds ? undefined : this.#resolve(id, rule, state, now, why, value);
    }
    if (
      !holds ||
      now - (state.fired ?? Number.NEGATIVE_INFINITY) < alert.cooldown ||
      this.#firing >= MAX_FIRING
    )
      return undefined;
    const { group, cause } = state;
    state.fired = now;
    state.firing = { since: now, met: 1, ...(cause !== undefined && alert.when !== 'absent' && { cause }) };
    this.#firing++;
    this.#changed.add(id);
    const fields: FiringAlert = {
      text: firingSentence(rule, alert, group, value),
      level: alert.level,
      ...fieldsOf(id, state),
      value,
      ...(bound !== undefined && { bound }),
    };
    this.#firingChanges.set(id, JSON.stringify(fields));
    return { event: 'firing', at: now, alert: fields, to: alert.to ?? [] };
  }

  /** Undefined if it did not fire. `rule` is undefined if it holds no longer: then nobody knows whom to tell. */
  #resolve(
    id: string,
    rule: AlertRule | undefined,
    state: AlertState,
    now: number,
    why: string,
    value?: number,
  ): Transition | undefined {
    const { firing, group } = state;
    if (firing === undefined) return undefined;
    const fields: FiringAlert = {
      text: resolvedSentence(state.rule, rule?.alert, group, now - firing.since, why),
      level: rule?.alert.level ?? 'warn',
      ...fieldsOf(id, state),
      ...(value !== undefined && { value }),
    };
    delete state.firing;
    this.#firing--;
    this.#changed.add(id);
    this.#firingChanges.set(id, undefined);
    return { event: 'resolved', at: now, alert: fields, to: rule?.alert.to ?? [] };
  }

  #add(id: string, state: AlertState): Kept {
    const kept: Kept = { state, saved: undefined };
    this.#alerts.set(id, kept);
    this.#counts.set(state.rule, (this.#counts.get(state.rule) ?? 0) + 1);
    this.#removed.delete(id);
    return kept;
  }

  #remove(id: string, { rule }: AlertState): void {
    const kept = this.#alerts.get(id);
    if (kept === undefined) return;
    if (kept.saved !== undefined) this.#removed.add(id);
    this.#changed.delete(id);
    this.#alerts.delete(id);
    const left = (this.#counts.get(rule) ?? 1) - 1;
    if (left > 0) this.#counts.set(rule, left);
    else this.#counts.delete(rule);
  }
}

/** How much older than the truth a kept `seen` may be. It is added again when the state is read, so that no absence is told too early. */
function tolerance(forMs: number): number {
  return Math.max(1_000, forMs / 10);
}

/** Whether it fires for something that has not been seen for so long that nobody expects it back. */
function isGone({ firing, seen }: AlertState, { when, by }: Alert, now: number): boolean {
  const mayBeGone = when === 'value' || (when === 'absent' && by !== undefined);
  return mayBeGone && firing !== undefined && now - seen >= FORGET_MS;
}

function isAlertRule(rule: Rule): rule is AlertRule {
  return rule.alert !== undefined;
}

function stateOf({ name, version }: Rule, group: Group | undefined, at: number): AlertState {
  return { rule: name, version, ...(group !== undefined && { group }), seen: at };
}

function fieldsOf(id: string, { rule, group, firing }: AlertState): AlertFields {
  return {
    alert: id,
    rule,
    ...(group !== undefined && { group: { ...group } }),
    since: firing?.since ?? 0,
    ...(firing?.cause !== undefined && { cause_channel: firing.cause.channel, cause_id: firing.cause.id }),
  };
}
