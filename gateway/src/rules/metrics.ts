// The figures of rules and alerts in Prometheus' form, as the thread of the rules has counted them last.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { RulesFigures } from './figures.ts';

const GAUGES = {
  rules_leading: ['1 where this gateway applies the rules.', ({ leading }) => leading],
  rules_lag_seconds: ['How far the rules are behind the log.', ({ lagMs }) => lagMs / 1_000],
  alerts_firing: ['Alerts that fire now.', ({ firing }) => firing],
} as const satisfies Figures;

const COUNTERS = {
  rules_entries_total: ['Entries that the rules have looked at.', ({ entries }) => entries],
  rules_events_total: ['Events that rules have made of entries.', ({ events }) => events],
  rules_missed_total: ['Entries that the log had lost before the rules read them.', ({ missed }) => missed],
  rules_dropped_total: ['Events and messages that were dropped at a bound.', ({ dropped }) => dropped],
  alerts_fired_total: ['Times that an alert has begun to fire.', ({ fired }) => fired],
  alerts_sent_total: ['Alerts that a destination has taken.', ({ sent }) => sent],
  alerts_failed_total: [
    'Alerts that were given up, since their destination did not take them.',
    ({ failed }) => failed,
  ],
} as const satisfies Figures;

type Figures = Record<string, readonly [help: string, read: (figures: RulesFigures) => number]>;

export function rulesMetrics(registry: Registry, figures: () => RulesFigures): void {
  const registers = [registry];
  for (const [name, [help, read]] of Object.entries(GAUGES))
    new Gauge({
      name: `llm_streamer_${name}`,
      help,
      registers,
      collect() {
        this.set(read(figures()));
      },
    });
  for (const [name, [help, read]] of Object.entries(COUNTERS))
    new Counter({
      name: `llm_streamer_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(figures()));
      },
    });
}
