// Decides which rules an entry meets, and what their expressions have found in it. An entry that a rule has made meets none, so that
// no rule can feed itself; the alerts' own channel is not looked at for the same reason.

import { formatPosition, type Position, timeOf } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { channelMatcher, globMatcher } from '@llm-streamer/shared/channels.ts';
import { type Entry, LEVELS } from '@llm-streamer/shared/entry.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { Expression, type Groups } from './expression.ts';
import type { Asked, Rule, RuleSet } from './rules-file.ts';

/** Channels whose rules are remembered. */
const MAX_KNOWN = 10_000;

/** An entry that meets a rule. */
export interface Hit {
  rule: Rule;
  groups: Groups;
  /** Whether the entry is of the part whose share the rule's alert asks for. */
  isPart: boolean;
}

/** An entry as rules see it, with its place in the log. */
export interface Seen {
  entry: Entry;
  n: Position;
  id: string;
  /** When the log took it, in epoch ms. Writers' clocks may be wrong by days, so no window is measured by them. */
  at: number;
}

interface CompiledRule {
  rule: Rule;
  matchesChannel: (channel: string) => boolean;
  meets: (entry: Entry) => boolean;
  isPart: (entry: Entry) => boolean;
  expression: Expression | undefined;
}

export class Detector {
  readonly #rules: readonly CompiledRule[];
  readonly #byChannel = new Map<string, readonly CompiledRule[]>();
  readonly #slicer: TimeSlicer;

  constructor({ rules }: RuleSet, slicer: TimeSlicer) {
    this.#slicer = slicer;
    this.#rules = rules.map((rule) => {
      const matchers = rule.channels.map(channelMatcher);
      return {
        rule,
        matchesChannel: (channel) => matchers.some((matches) => matches(channel)),
        meets: asks(rule),
        isPart: rule.alert?.when === 'share' ? asks(rule.alert.of) : () => false,
        expression: rule.match === undefined ? undefined : new Expression(rule.match),
      };
    });
  }

  /** The rules that the entry meets, in the order of the file. */
  async hits(record: LogRecord): Promise<{ seen: Seen; hits: Hit[] } | undefined> {
    const rules = this.#rulesOf(record.channel);
    if (rules.length === 0 || record.n === 0) return undefined;
    const { entry } = record;
    if (isMadeByRule(entry)) return undefined;
    const hits: Hit[] = [];
    for (const [i, { rule, meets, isPart, expression }] of rules.entries()) {
      // Looking at the clock takes longer than most rules, so it is looked at for every sixteenth.
      const pause = i % 16 === 0 ? this.#slicer.pauseIfDue() : undefined;
      if (pause) await pause;
      if (!meets(entry)) continue;
      const groups = expression === undefined ? {} : expression.find(entry.msg);
      if (groups !== undefined) hits.push({ rule, groups, isPart: isPart(entry) });
    }
    if (hits.length === 0) return undefined;
    const { n } = record;
    return { seen: { entry, n, id: formatPosition(n), at: timeOf(n) }, hits };
  }

  #rulesOf(channel: string): readonly CompiledRule[] {
    let rules = this.#byChannel.get(channel);
    if (rules === undefined) {
      rules = channel === CHANNELS.alerts ? [] : this.#rules.filter((one) => one.matchesChannel(channel));
      if (this.#byChannel.size >= MAX_KNOWN) this.#byChannel.clear();
      this.#byChannel.set(channel, rules);
    }
    return rules;
  }
}

/** A predicate for what a rule asks of an entry besides its channel and its text. */
function asks({ level, source, event }: Asked): (entry: Entry) => boolean {
  const floor = level === undefined ? 0 : LEVELS.indexOf(level);
  const fits = source === undefined ? undefined : globMatcher(source);
  const events = event === undefined ? undefined : new Set<string | undefined>(event);
  return (entry) =>
    (floor === 0 || LEVELS.indexOf(entry.level) >= floor) &&
    (events === undefined || events.has(entry.event)) &&
    (fits === undefined || fits(entry.source));
}

/** The mark of `eventDraft`. Who writes it into a line of his own keeps that line from the rules, as he would by not writing it. */
function isMadeByRule({ attrs }: Entry): boolean {
  return attrs !== undefined && typeof attrs.rule === 'string' && typeof attrs.cause_id === 'string';
}
