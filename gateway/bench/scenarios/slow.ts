// A hundred viewers that read 1 kB/s beside a hundred healthy ones, under 5 MB/s of entries: how much memory the slow ones cost
// the gateway, and how much latency the healthy ones, against the same load without them.

import { connect, steady, warmUp } from '../measure.ts';
import type { Context, Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import { type Figures, short } from '../table.ts';
import { startGateway } from '../targets/gateway.ts';

const VIEWERS = 100;
const BYTES = 4_000;
const ENTRIES_PER_SECOND = 1_250;
const SIP_BYTES_PER_SECOND = 1_000;
const WATCH_MS = 200;
const MIB = 1_048_576;

async function measure(stage: Stage, { seconds, scaled }: Context): Promise<Figures> {
  await connect(stage);
  await warmUp(stage);
  const rate = scaled(ENTRIES_PER_SECOND);
  await steady(stage, rate, seconds * 2); // until the ring is full and the heap no longer grows
  const { growth: growthBefore, figures: before } = await watched(stage, rate, seconds * 2);
  const slow = stage.addLoad();
  await slow.call('open', {
    port: stage.target.port,
    requests: stage.requests(),
    count: scaled(VIEWERS),
    sampled: 0,
    burst: 10,
    bytesPerSecond: SIP_BYTES_PER_SECOND,
  });
  const { growth, figures } = await watched(stage, rate, seconds * 15);
  const more = { p99Before: before.p99 ?? Number.NaN, growthBefore, growth };
  return { ...figures, memory: growth / 1_024 / scaled(VIEWERS), more };
}

/** Also gives how much memory was added at most, in bytes. */
async function watched(
  stage: Stage,
  rate: number,
  seconds: number,
): Promise<{ growth: number; figures: Figures }> {
  const base = stage.memory().target;
  let most = base;
  const look = () => {
    most = Math.max(most, stage.memory().target);
  };
  const watch = setInterval(look, WATCH_MS);
  try {
    const figures = await steady(stage, rate, seconds);
    look();
    return { growth: most - base, figures };
  } finally {
    clearInterval(watch);
  }
}

export const slowViewers: Scenario = {
  name: 'slow',
  about: '100 viewers that read 1 kB/s beside 100 healthy ones, 1,250 entries/s of 4,000 bytes',
  designs: {
    gateway: (context) => {
      const viewers = context.scaled(VIEWERS);
      const lanes = [{ channel: 'bench', source: 'bench' }];
      const cast = { viewers, sampled: Math.min(10, viewers), lanes, bytes: BYTES };
      return Stage.with(startGateway, cast, (stage) => measure(stage, context));
    },
  },
  bars: [
    { says: 'lost', of: ({ gateway }) => gateway?.lost, most: 0 },
    { says: 'MB more', of: ({ gateway }) => gateway && (gateway.more?.growth ?? Number.NaN) / MIB, most: 32 },
    {
      says: 'p99 × before',
      of: ({ gateway }) => gateway && (gateway.p99 ?? Number.NaN) / (gateway.more?.p99Before ?? Number.NaN),
      most: 1.5,
    },
  ],
  remarks: ({ more = {} }) => [
    `p99 before they came ${short(more.p99Before)} ms`,
    `memory grew by ${short((more.growth ?? 0) / MIB)} MB, ` +
      `in the same load before by ${short((more.growthBefore ?? 0) / MIB)} MB`,
  ],
};
