// The long fault suite: every fault at full size, one after the other, and a table of what viewers saw (`npm run soak`).
// Bounded: about two minutes a fault. `npm run soak -- --only killed --viewers 50 --rate 1000 --seed 7`.

import { parseArgs } from 'node:util';
import { FAULTS, FailoverProxy, promoteLaggingReplica } from '../gateway/test/e2e/fleet/faults.ts';
import { Fleet } from '../gateway/test/e2e/fleet/fleet.ts';
import type { Verdict } from '../gateway/test/e2e/fleet/verdict.ts';
import { startRedis } from '../test-support/redis.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    viewers: { type: 'string', default: '200' },
    channels: { type: 'string', default: '20' },
    rate: { type: 'string', default: '500' },
    drops: { type: 'string', default: '60' },
    entries: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
});

const PROMOTED = 'lagging replica promoted';
const names = [...Object.keys(FAULTS), PROMOTED].filter((name) => name.includes(values.only ?? ''));
const COLUMNS = [
  'fault',
  'entries',
  'reconnects',
  'missing',
  'explained',
  'duplicates',
  'disordered',
  'false gaps',
  's',
];
console.log(`| ${COLUMNS.join(' | ')} |\n|${COLUMNS.map(() => '---').join('|')}|`);

let failed = false;
for (const name of names) {
  const began = Date.now();
  const verdict = await play(name);
  const { entries, reconnects, missing, explained, duplicates, disordered, falseGaps, ledgerFaults } =
    verdict;
  const cells = [name, entries, reconnects, missing, explained, duplicates, disordered, falseGaps];
  console.log(`| ${[...cells, Math.round((Date.now() - began) / 1_000)].join(' | ')} |`);
  if (missing === explained && duplicates + disordered + falseGaps + ledgerFaults === 0) continue;
  failed = true;
  for (const detail of verdict.details.slice(0, 10)) console.log(`  ${detail}`);
}
process.exit(failed ? 1 : 0);

async function play(name: string): Promise<Verdict> {
  const redis = await startRedis({ args: ['--appendonly', 'yes'] });
  const proxy = name === PROMOTED ? await FailoverProxy.start(redis.port) : undefined;
  const fleet = new Fleet({
    redis,
    ...(proxy && { redisUrl: proxy.url }),
    viewers: Number(values.viewers),
    channels: Number(values.channels),
    entriesPerSecond: Number(values.rate),
    dropsPerSecond: Number(values.drops),
    seed: Number(values.seed),
  });
  let replica: { stop(): Promise<void> } | undefined;
  try {
    await fleet.start();
    const entries = Number(values.entries);
    const stage = { fleet, redis, pace: Math.ceil(entries / 4) };
    if (proxy) replica = await promoteLaggingReplica(stage, proxy);
    else await FAULTS[name]?.(stage);
    if (fleet.written < entries) await fleet.more(entries - fleet.written);
    return await fleet.finish();
  } finally {
    await fleet.stop();
    proxy?.stop();
    await replica?.stop();
    await redis.stop();
  }
}
