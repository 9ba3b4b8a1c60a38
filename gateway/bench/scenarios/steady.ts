// Steady rates that every design must sustain: how much an entry costs, and how late it comes.

import { connect, steady, warmUp } from '../measure.ts';
import { type Bar, type Context, ratio, type Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import type { Figures } from '../table.ts';
import {
  startBareGateway,
  startGateway,
  startWithAuth,
  startWithExampleRules,
  startWithManyRules,
  startWithMatchAll,
  startWorkers,
} from '../targets/gateway.ts';
import { startNchan } from '../targets/nchan.ts';
import { startClassical, startClassicalLog, startProbe } from '../targets/own-servers.ts';
import type { StartTarget } from '../targets/target.ts';
import { startWebdis } from '../targets/webdis.ts';

interface Load {
  viewers: number;
  lanes: number;
  /** Entries per second, over all lanes. */
  rate: number;
  /** Lanes are writers on one channel, and each viewer wants one writer's entries. */
  bySource?: boolean;
  /** By how many patterns viewers ask for the lanes. */
  patterns?: number;
}

const BYTES = 200;
const SAMPLED = 10;
/** Below this many entries per second a measurement lasts twice as long, so that a percentile rests on more of them. */
const FEW_PER_SECOND = 100;
const ALL = { gateway: startGateway, classical: startClassical, nchan: startNchan, webdis: startWebdis };
/** Shows how much of a figure is due to the log: the gateway without the log, and the least that Node can do with it. */
const APART = { ...ALL, 'bare-gateway': startBareGateway, probe: startProbe };

const design =
  (start: StartTarget, { viewers, lanes, rate, bySource = false, patterns = lanes }: Load) =>
  (context: Context) => {
    const wantedCount = context.scaled(patterns, Math.min(patterns, 2));
    const laneCount = wantedCount * Math.round(lanes / patterns);
    const perWanted = Math.max(1, Math.round(context.scaled(viewers) / wantedCount));
    const cast = {
      viewers: perWanted * wantedCount,
      sampled: lanes > 1 ? perWanted * wantedCount : Math.min(SAMPLED, perWanted),
      lanes: Array.from({ length: laneCount }, (_, i) => ({
        channel: bySource ? 'bench' : patterns < lanes ? `bench:${i % wantedCount}:${i}` : `bench:${i}`,
        source: `writer-${i}`,
      })),
      ...(patterns < lanes && {
        wanted: Array.from({ length: wantedCount }, (_, i) => ({ channel: `bench:${i}:*`, source: '' })),
      }),
      bytes: BYTES,
      request: { bySource },
    };
    return Stage.with(start, cast, async (stage) => {
      const { kb } = await connect(stage);
      await warmUp(stage);
      const seconds = rate <= FEW_PER_SECOND ? context.seconds * 2 : context.seconds;
      const perSecond = lanes > 1 ? (rate * laneCount) / lanes : rate;
      // The first entries go through code that is not compiled yet, in every design.
      await steady(stage, perSecond, seconds);
      const figures = await steady(stage, perSecond, seconds);
      return { ...figures, memory: kb };
    });
  };

function scenario(
  name: string,
  about: string,
  load: Load,
  designs: Readonly<Record<string, StartTarget>>,
  bars: readonly Bar[],
): Scenario {
  const measured = Object.entries(designs).map(([key, start]) => [key, design(start, load)]);
  return { name, about, designs: Object.fromEntries(measured), bars };
}

const p50 = (figures: Figures) => figures.p50;
const p99 = (figures: Figures) => figures.p99;
const cpu = (figures: Figures) => figures.cpu;
const lost: Bar = { says: 'lost', of: ({ gateway }) => gateway?.lost, most: 0 };

export const steadyRates: Scenario[] = [
  scenario(
    'million',
    '1 channel × 1,000 viewers at 1,000 entries/s: a million deliveries per second offered',
    { viewers: 1_000, lanes: 1, rate: 1_000 },
    { gateway: startGateway, 'AUTH=on': startWithAuth },
    [
      lost,
      { says: 'p99 ms', of: ({ gateway }) => gateway?.p99, most: 60 },
      { says: 'CPU s/M', of: ({ gateway }) => gateway?.cpu, most: 0.7 },
    ],
  ),
  scenario(
    'calm',
    '1 channel × 1,000 viewers at 50 entries/s: 50,000 deliveries per second, nothing to batch',
    { viewers: 1_000, lanes: 1, rate: 50 },
    ALL,
    [
      { says: 'p99 × Nchan’s', of: ratio(p99, 'gateway', 'nchan'), most: 1.5 },
      { says: 'CPU × classical', of: ratio(cpu, 'gateway', 'classical'), most: 0.45 },
    ],
  ),
  scenario(
    'latency',
    '1 channel × 100 viewers at 100 entries/s',
    { viewers: 100, lanes: 1, rate: 100 },
    { ...APART, 'AUTH=on': startWithAuth },
    [
      { says: 'p50 × classical', of: ratio(p50, 'gateway', 'classical'), most: 0.5 },
      { says: 'p99 × classical', of: ratio(p99, 'gateway', 'classical'), most: 0.5 },
      { says: 'p99 × Nchan’s', of: ratio(p99, 'gateway', 'nchan'), most: 1.1 },
      { says: 'p99 × probe’s', of: ratio(p99, 'gateway', 'probe'), most: 1.25 },
      { says: 'without the log: p99 × classical', of: ratio(p99, 'bare-gateway', 'classical'), most: 0.5 },
      { says: 'without the log: p99 × Nchan’s', of: ratio(p99, 'bare-gateway', 'nchan'), most: 1.1 },
    ],
  ),
  scenario(
    'channels',
    '1,000 channels with a viewer each, 10 entries/s on each',
    { viewers: 1_000, lanes: 1_000, rate: 10_000 },
    { ...APART, 'classical-log': startClassicalLog },
    [
      { says: 'CPU × classical', of: ratio(cpu, 'gateway', 'classical'), most: 0.7 },
      { says: 'p99 × classical', of: ratio(p99, 'gateway', 'classical'), most: 1 },
      { says: 'p99 × classical behind the log', of: ratio(p99, 'gateway', 'classical-log'), most: 1 },
      { says: 'p99 × probe’s', of: ratio(p99, 'gateway', 'probe'), most: 1.25 },
      { says: 'without the log: p99 × classical', of: ratio(p99, 'bare-gateway', 'classical'), most: 1 },
    ],
  ),
  scenario(
    'filters',
    '1 channel, 200 different filters with 5 viewers each, 2,000 entries/s of which each filter lets 10 through',
    { viewers: 1_000, lanes: 200, rate: 2_000, bySource: true },
    { gateway: startGateway },
    [lost],
  ),
  scenario(
    'filters-1000',
    '1 channel, 1,000 different filters with a viewer each, 2,000 entries/s of which each filter lets 2 through',
    { viewers: 1_000, lanes: 1_000, rate: 2_000, bySource: true },
    { gateway: startGateway },
    [lost],
  ),
  scenario(
    'patterns',
    '10,000 channels at 2,000 entries/s, 100 viewers with a pattern each that a hundred channels match',
    { viewers: 100, lanes: 10_000, rate: 2_000, patterns: 100 },
    { gateway: startGateway },
    [lost],
  ),
  scenario(
    'rules',
    '1 channel × 1 viewer at 10,000 entries/s, without rules and with: what rules cost an entry, and whether they delay it',
    { viewers: 1, lanes: 1, rate: 10_000 },
    {
      gateway: startGateway,
      'rules of the example': startWithExampleRules,
      '1,000 rules': startWithManyRules,
      'rules that match everything': startWithMatchAll,
    },
    [
      lost,
      { says: 'example: p50 × without', of: ratio(p50, 'rules of the example', 'gateway'), most: 1.5 },
      { says: '1,000 rules: p50 × without', of: ratio(p50, '1,000 rules', 'gateway'), most: 1.5 },
    ],
  ),
  scenario(
    'workers',
    '1 channel × 1,000 viewers at 50 entries/s, of one process and of two on one port (WORKERS=2)',
    { viewers: 1_000, lanes: 1, rate: 50 },
    { gateway: startGateway, 'two workers': startWorkers },
    [{ says: 'lost', of: (designs) => designs['two workers']?.lost, most: 0 }],
  ),
];
