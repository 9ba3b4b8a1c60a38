// A thousand viewers come back at once, and each has missed five thousand entries: how long it takes until all have caught up,
// against the same bytes over bare sockets, and how late entries are for viewers who were live all the time.

import { setTimeout as pause } from 'node:timers/promises';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { Histogram } from '../histogram.ts';
import { figuresOf, notesOf, quiet, since } from '../measure.ts';
import { cpuOf } from '../process-figures.ts';
import { type Context, ratio, type Scenario } from '../scenario.ts';
import { type Load, newLoad, Stage } from '../stage.ts';
import { type Figures, short } from '../table.ts';
import type { CeilingMethods } from '../targets/ceiling-worker.ts';
import { startGateway } from '../targets/gateway.ts';
import { httpGet, LIVE_PATH } from '../targets/target.ts';
import { Worker } from '../worker.ts';

const VIEWERS = 1_000;
const SAMPLED = 5;
const BYTES = 200;
const MISSED = 5_000;
const LIVE = { viewers: 20, rate: 100, lane: { channel: 'live', source: 'live' } };
const PATIENCE_MS = 30_000;
const SLICE_ENTRIES = 20;

async function storm(stage: Stage, { seconds, scaled }: Context): Promise<Figures> {
  const { viewers: count, sampled } = stage.cast;
  const { port } = stage.target;
  const live = stage.addLoad();
  const publisher = await stage.addPublisher([LIVE.lane]);
  const requests = [stage.target.request(LIVE.lane)];
  await live.call('open', { port, requests, count: LIVE.viewers, sampled: LIVE.viewers, burst: 10 });
  await publisher.call('send', { count: 10, rate: LIVE.rate });

  await stage.publisher.call('send', { count: 1, rate: 0 });
  const lastEventId = await stage.publisher.call('lastId', undefined);
  const entries = scaled(MISSED, 10);
  await stage.publisher.call('send', { count: entries, rate: 0 });

  await live.call('begin', undefined);
  await publisher.call('send', { count: Math.ceil(LIVE.rate * seconds), rate: LIVE.rate });
  const calm = await p99Of(live);

  await live.call('begin', undefined);
  const [before, began] = [stage.cpu(), performance.now()];
  let done = false;
  const caughtUp = (async () => {
    const request = stage.requests({ lastEventId });
    await stage.load.call('open', { port, requests: request, count, sampled, burst: count });
    await stage.load.call('reached', { entries: entries * count, timeoutMs: PATIENCE_MS });
    done = true;
    return (performance.now() - began) / 1_000;
  })();
  let slices = 0;
  while (!done) {
    await publisher.call('send', { count: SLICE_ENTRIES, rate: LIVE.rate });
    slices++;
  }
  const elapsed = await caughtUp;
  const cpu = since(before, stage.cpu());
  await quiet(stage);
  await live.call('reached', { entries: slices * SLICE_ENTRIES * LIVE.viewers, timeoutMs: PATIENCE_MS });
  const report = await stage.load.call('report', undefined);
  const { deliveries, latencies } = await live.call('report', undefined);
  const figures = figuresOf(report, entries * count, cpu, elapsed);
  const missing = slices * SLICE_ENTRIES * LIVE.viewers - deliveries;
  const during = new Histogram(latencies).percentile(0.99);
  const { p50: _, p99: __, ...counted } = figures; // the age of an entry means nothing if it comes from history
  return {
    ...counted,
    lost: (figures.lost ?? 0) + Math.max(0, missing),
    more: { ...figures.more, s: elapsed, calm, during, slower: during / calm },
    notes: notesOf(report, cpu, elapsed),
  };
}

async function overSockets({ scaled, seconds, round }: Context): Promise<Figures> {
  const server = new Worker<CeilingMethods>('targets/ceiling-worker.ts', NODE_FLAGS);
  const [load, live] = [newLoad(), newLoad()];
  try {
    const port = await server.call('listen', undefined);
    const [count, entries] = [scaled(VIEWERS), scaled(MISSED, 10)];
    await server.call('burst', { entries, frame: round.gateway?.more?.frame ?? 300 });
    const requests = [httpGet(LIVE_PATH)];
    await live.call('open', { port, requests, count: LIVE.viewers, sampled: LIVE.viewers, burst: 10 });
    await server.call('trickle', { rate: LIVE.rate, bytes: BYTES });
    await live.call('begin', undefined);
    await pause(seconds * 1_000);
    const calm = await p99Of(live);
    await live.call('begin', undefined);
    const cpus = () => ({ target: cpuOf(server.pid), redis: Number.NaN, load: cpuOf(load.pid) });
    const [before, began] = [cpus(), performance.now()];
    const sampled = Math.min(SAMPLED, count);
    await load.call('open', { port, requests: [httpGet('/')], count, sampled, burst: count });
    await load.call('reached', { entries: entries * count, timeoutMs: PATIENCE_MS });
    const s = (performance.now() - began) / 1_000;
    const cpu = since(before, cpus());
    const during = await p99Of(live);
    const report = await load.call('report', undefined);
    const { p50: _, p99: __, repeated: ___, ...figures } = figuresOf(report, entries * count, cpu, s);
    return { ...figures, more: { s, calm, during, slower: during / calm }, notes: notesOf(report, cpu, s) };
  } finally {
    await Promise.all([server.stop(), load.stop(), live.stop()]);
  }
}

async function p99Of(load: Load): Promise<number> {
  const { latencies } = await load.call('report', undefined);
  return new Histogram(latencies).percentile(0.99);
}

export const resumeStorm: Scenario = {
  name: 'resume-storm',
  about: '1,000 viewers that missed 5,000 entries reconnect at once, beside 20 live ones at 100 entries/s',
  designs: {
    gateway: (context) => {
      const viewers = context.scaled(VIEWERS);
      const lanes = [{ channel: 'storm', source: 'storm' }];
      const cast = { viewers, sampled: Math.min(SAMPLED, viewers), lanes, bytes: BYTES };
      return Stage.with(startGateway, cast, (stage) => storm(stage, context));
    },
    ceiling: overSockets,
  },
  bars: [
    { says: 'lost', of: ({ gateway }) => gateway?.lost, most: 0 },
    { says: 'time × bare sockets', of: ratio(({ more }) => more?.s, 'gateway', 'ceiling'), most: 2 },
    { says: 'live p99 × before', of: ({ gateway }) => gateway?.more?.slower, most: 2 },
    { says: 'live p99 × bare sockets', of: ratio(({ more }) => more?.during, 'gateway', 'ceiling'), most: 2 },
  ],
  remarks: ({ more = {} }) => [
    `all caught up in ${short(more.s)} s`,
    ...(more.during === undefined
      ? []
      : [`live p99 ${short(more.calm)} ms, in the storm ${short(more.during)} ms`]),
  ],
};
