// Ten viewers, entries as fast as they can be written: through the log, where the publisher is the limit, and by bare
// PUBLISH that is not adopted, where losses are possible and must be reported.

import {
  appendRate,
  connect,
  expectedOf,
  figuresOf,
  isSustained,
  notesOf,
  quiet,
  since,
  sustained,
  warmUp,
} from '../measure.ts';
import { type Context, ratio, type Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import type { Figures } from '../table.ts';
import { startBareGateway, startGateway } from '../targets/gateway.ts';
import { startClassical } from '../targets/own-servers.ts';
import type { StartTarget } from '../targets/target.ts';

const VIEWERS = 10;
const CAST = { viewers: VIEWERS, sampled: 2, lanes: [{ channel: 'bench', source: 'bench' }], bytes: 200 };
const PATIENCE_MS = 10_000;
const TRIAL_ENTRIES = 5_000;
const FLOOD_ENTRIES = 300_000;
const FLOOD_PATIENCE_MS = 6_000;
/** A flooded server may send nothing for this long, and then continue. */
const FLOOD_QUIET = { quietMs: 1_000, timeoutMs: 10_000 };

/** Publishes as many entries as the log takes, and measures whether viewers get them at the same rate. */
async function flatOut(stage: Stage, { seconds, scaled }: Context): Promise<Figures> {
  await connect(stage);
  await warmUp(stage);
  const rate = await appendRate(stage, scaled(TRIAL_ENTRIES, 100));
  await stage.load.call('begin', undefined);
  const before = stage.cpu();
  const began = performance.now();
  const count = scaled(Math.round(rate * seconds), 100);
  const sent = await stage.publisher.call('send', { count, rate: 0 });
  const expected = expectedOf(stage, count);
  await stage.load.call('reached', { entries: expected, timeoutMs: PATIENCE_MS });
  const elapsed = (performance.now() - began) / 1_000;
  const cpu = since(before, stage.cpu());
  await quiet(stage);
  const report = await stage.load.call('report', undefined);
  const figures = figuresOf(report, expected, cpu, elapsed);
  const more = {
    ...figures.more,
    appended: (count * 1_000) / sent.ms,
    keptUp: sent.ms / 1_000 / elapsed,
    sustained: isSustained(figures) ? 1 : 0,
  };
  return { ...figures, more, notes: notesOf(report, cpu, elapsed) };
}

/** Publishes more than any viewer can take, all at once: what a sampled viewer misses must have been reported by gaps. */
async function flood(stage: Stage, { scaled }: Context): Promise<Record<string, number>> {
  await stage.load.call('begin', undefined);
  const count = scaled(FLOOD_ENTRIES, 1_000);
  await stage.publisher.call('send', { count, rate: 0 });
  await stage.load.call('reached', { entries: count * VIEWERS, timeoutMs: FLOOD_PATIENCE_MS });
  await stage.load.call('settled', FLOOD_QUIET);
  // A gap is reported before the entry that follows it, so that one more entry is needed.
  await stage.publisher.call('send', { count: 1, rate: 0 });
  await stage.load.call('settled', FLOOD_QUIET);
  const { sampled } = await stage.load.call('report', undefined);
  const lacking = (count + 1) * sampled.viewers - sampled.entries;
  // A gap that does not say how many entries are missing accounts for all of them.
  return { lacking, unnamed: sampled.unknown > 0 ? 0 : lacking - sampled.missed };
}

const bare = (start: StartTarget) => (context: Context) =>
  Stage.with(start, CAST, async (stage) => {
    await connect(stage);
    await warmUp(stage);
    const figures = await sustained(stage, context.seconds);
    return { ...figures, more: { ...figures.more, ...(await flood(stage, context)) } };
  });

export const fewViewers: Scenario[] = [
  {
    name: 'few',
    about: '1 channel × 10 viewers, entries as fast as the log takes them',
    designs: { gateway: (context) => Stage.with(startGateway, CAST, (stage) => flatOut(stage, context)) },
    bars: [
      { says: 'lost', of: ({ gateway }) => gateway?.lost, most: 0 },
      { says: 'delivered as fast as appended', of: ({ gateway }) => gateway?.more?.keptUp, least: 0.95 },
      { says: 'p99 ms', of: ({ gateway }) => gateway?.p99, most: 250 },
    ],
    remarks: ({ more }) => [`publisher-bound: ${Math.round(more?.appended ?? 0)} entries/s appended`],
  },
  {
    name: 'few-bare',
    about: '1 channel × 10 viewers, bare PUBLISH without adoption: sustained, then a flood beyond all bounds',
    designs: { gateway: bare(startBareGateway), classical: bare(startClassical) },
    bars: [
      { says: '× classical', of: ratio(({ rate }) => rate, 'gateway', 'classical'), least: 8 },
      {
        says: 'lost without a gap',
        of: ({ gateway }) => gateway?.more && Math.abs(gateway.more.unnamed ?? Number.NaN),
        most: 0,
      },
    ],
    remarks: ({ more }) => [`flood: 2 viewers lacked ${more?.lacking}, gaps named all but ${more?.unnamed}`],
  },
];
