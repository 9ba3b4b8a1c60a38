// One channel, a thousand viewers, as fast as each design sustains, and how much bare sockets take.

import { NODE_FLAGS } from '../../src/node-flags.ts';
import { connect, figuresOf, notesOf, sustained, warmUp } from '../measure.ts';
import { cpuOf } from '../process-figures.ts';
import type { Bar, Context, Scenario } from '../scenario.ts';
import { ratio } from '../scenario.ts';
import { newLoad, Stage } from '../stage.ts';
import type { Figures } from '../table.ts';
import type { CeilingMethods } from '../targets/ceiling-worker.ts';
import { startGateway, startWithAuth } from '../targets/gateway.ts';
import { startNchan } from '../targets/nchan.ts';
import { startClassical } from '../targets/own-servers.ts';
import { httpGet, type StartTarget } from '../targets/target.ts';
import { startWebdis } from '../targets/webdis.ts';
import { Worker } from '../worker.ts';

const VIEWERS = 1_000;
const SAMPLED = 5;
const LANE = { channel: 'bench', source: 'bench' };

const design = (start: StartTarget, bytes: number) => (context: Context) => {
  const viewers = context.scaled(VIEWERS);
  const cast = { viewers, sampled: Math.min(SAMPLED, viewers), lanes: [LANE], bytes };
  return Stage.with(start, cast, async (stage) => {
    const { kb } = await connect(stage);
    await warmUp(stage);
    return { ...(await sustained(stage, context.seconds)), memory: kb };
  });
};

/** Writes as large as the gateway's in the same round. */
async function ceiling({ scaled, seconds, round }: Context): Promise<Figures | undefined> {
  const { entriesPerWrite = 1, frame = 300 } = round.gateway?.more ?? {};
  const server = new Worker<CeilingMethods>('targets/ceiling-worker.ts', NODE_FLAGS);
  const load = newLoad();
  try {
    const port = await server.call('listen', undefined);
    const count = scaled(VIEWERS);
    const sampled = Math.min(SAMPLED, count);
    await load.call('open', { port, requests: [httpGet('/')], count, sampled, burst: 128 });
    const running = server.call('run', { entriesPerWrite: Math.max(1, Math.round(entriesPerWrite)), frame });
    await new Promise((resolve) => setTimeout(resolve, (seconds * 1_000) / 4));
    await load.call('begin', undefined);
    const began = performance.now();
    const before = { target: cpuOf(server.pid), redis: 0, load: cpuOf(load.pid) };
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const report = await load.call('report', undefined);
    const elapsed = (performance.now() - began) / 1_000;
    const cpu = {
      target: cpuOf(server.pid) - before.target,
      redis: Number.NaN,
      load: cpuOf(load.pid) - before.load,
    };
    await server.call('stop', undefined);
    await running;
    const { rate, cpu: perMillion, loadCpu, bytes } = figuresOf(report, report.deliveries, cpu, elapsed);
    return { rate, cpu: perMillion, loadCpu, bytes, notes: notesOf(report, cpu, elapsed) } as Figures;
  } finally {
    await Promise.all([server.stop(), load.stop()]);
  }
}

const rate = (figures: Figures) => figures.rate;

const BARS: Bar[] = [
  { says: '× classical', of: ratio(rate, 'gateway', 'classical'), least: 15 },
  { says: '× Nchan', of: ratio(rate, 'gateway', 'nchan'), least: 45 },
  { says: 'of the ceiling', of: ratio(rate, 'gateway', 'ceiling'), least: 0.8 },
  { says: 'CPU s/M', of: ({ gateway }) => gateway?.cpu, most: 0.1 },
];

export const fanOut: Scenario[] = [
  {
    name: 'fan-out',
    about: '1 channel × 1,000 viewers, 200-byte entries, the highest rate that is sustained',
    designs: {
      gateway: design(startGateway, 200),
      'AUTH=on': design(startWithAuth, 200),
      ceiling,
      classical: design(startClassical, 200),
      nchan: design(startNchan, 200),
      webdis: design(startWebdis, 200),
    },
    bars: BARS,
  },
  ...[400, 4_000].map((bytes) => ({
    name: `fan-out-${bytes}`,
    about: `the same with entries of ${bytes} bytes`,
    designs: { gateway: design(startGateway, bytes), ceiling, classical: design(startClassical, bytes) },
    bars: [],
  })),
];
