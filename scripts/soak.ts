// `npm run soak`, the long test of faults: plays every fault at full size, one after the other, and prints a table of what viewers saw.
// Each fault takes about two minutes. `npm run soak -- --only killed --viewers 50 --rate 1000 --seed 7` is shorter.

import { parseArgs } from 'node:util';
import { CLUSTER_FAULTS } from '../gateway/test/e2e/fleet/cluster-faults.ts';
import { FAULTS, FailoverProxy, promoteLaggingReplica } from '../gateway/test/e2e/fleet/faults.ts';
import { Fleet } from '../gateway/test/e2e/fleet/fleet.ts';
import { SENTINEL_FAULTS } from '../gateway/test/e2e/fleet/sentinel-faults.ts';
import type { Verdict } from '../gateway/test/e2e/fleet/verdict.ts';
import { type RedisServer, startRedis } from '../test-support/redis.ts';
import { startCluster } from '../test-support/redis-cluster.ts';
import { startSentinelGroup } from '../test-support/redis-sentinel.ts';

const PROMOTED = 'lagging replica promoted';
const FAULT_NAMES = {
  one: [...Object.keys(FAULTS), PROMOTED],
  sentinel: Object.keys(SENTINEL_FAULTS),
  cluster: Object.keys(CLUSTER_FAULTS),
};
const HELP = `soak: every fault at full size, and a table of what viewers saw

  npm run soak -- [options]

  --redis KIND    where the log is: ${Object.keys(FAULT_NAMES).join(', ')} (one)
  --feed SERVER   what gateways read from: primary or replica, with --redis sentinel (primary)
  --only TEXT     only faults whose names hold this text (all)
  --viewers N     viewers (200)
  --channels N    channels (20)
  --rate N        entries per second (500)
  --drops N       viewers cut off per second (60)
  --entries N     entries per fault (20000)
  --seed N        same seed, same choices (1)
  --help          this text

Faults of one Redis: ${FAULT_NAMES.one.join('; ')}.
Of a primary behind Sentinels: ${FAULT_NAMES.sentinel.join('; ')}.
Of a Cluster: ${FAULT_NAMES.cluster.join('; ')}.
`;

const { redis: kind, feed, viewers, channels, rate, drops, entries, seed, names } = options();
const load = { viewers, channels, entriesPerSecond: rate, dropsPerSecond: drops, seed };
const PLAY = { one: playOnOne, sentinel: playBehindSentinels, cluster: playOnCluster };

const COLUMNS = [
  'fault',
  'entries',
  'reconnects',
  'missing',
  'explained',
  'duplicates',
  'disordered',
  'false gaps',
  'longest stall s',
  's',
];
console.log(`| ${COLUMNS.join(' | ')} |\n|${COLUMNS.map(() => '---').join('|')}|`);

let failed = false;
for (const name of names) {
  const began = Date.now();
  const verdict = await PLAY[kind](name);
  const {
    entries: written,
    reconnects,
    missing,
    explained,
    duplicates,
    disordered,
    falseGaps,
    longestStallMs,
    ledgerFaults,
  } = verdict;
  const stall = (longestStallMs / 1_000).toFixed(1);
  const cells = [name, written, reconnects, missing, explained, duplicates, disordered, falseGaps, stall];
  console.log(`| ${[...cells, Math.round((Date.now() - began) / 1_000)].join(' | ')} |`);
  if (missing === explained && duplicates + disordered + falseGaps + ledgerFaults === 0) continue;
  failed = true;
  for (const detail of verdict.details.slice(0, 10)) console.log(`  ${detail}`);
}
process.exit(failed ? 1 : 0);

async function playOnOne(name: string): Promise<Verdict> {
  const redis = await startRedis({ args: ['--appendonly', 'yes'] });
  const proxy = name === PROMOTED ? await FailoverProxy.start(redis.port) : undefined;
  const fleet = new Fleet({
    redis,
    ...(proxy && { redisUrl: proxy.url }),
    ...load,
  });
  let replica: { stop(): Promise<void> } | undefined;
  try {
    await fleet.start();
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

async function playBehindSentinels(name: string): Promise<Verdict> {
  const group = await startSentinelGroup({ replicas: 2 });
  const [redis] = group.servers as [RedisServer];
  const fleet = new Fleet({ redis, redisUrl: group.url, env: { REDIS_FEED: feed }, ...load });
  try {
    await fleet.start();
    await SENTINEL_FAULTS[name]?.({ fleet, group, pace: Math.ceil(entries / 4) });
    if (fleet.written < entries) await fleet.more(entries - fleet.written);
    return await fleet.finish();
  } finally {
    await fleet.stop();
    await group.stop();
  }
}

async function playOnCluster(name: string): Promise<Verdict> {
  const cluster = await startCluster();
  const [redis] = cluster.nodes as [RedisServer];
  const fleet = new Fleet({ redis, redisUrl: cluster.url, ...load });
  try {
    await fleet.start();
    await CLUSTER_FAULTS[name]?.({ fleet, cluster, pace: Math.ceil(entries / 4) });
    if (fleet.written < entries) await fleet.more(entries - fleet.written);
    return await fleet.finish();
  } finally {
    await fleet.stop();
    await cluster.stop();
  }
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        redis: { type: 'string', default: 'one' },
        feed: { type: 'string', default: 'primary' },
        only: { type: 'string', default: '' },
        viewers: { type: 'string', default: '200' },
        channels: { type: 'string', default: '20' },
        rate: { type: 'string', default: '500' },
        drops: { type: 'string', default: '60' },
        entries: { type: 'string', default: '20000' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const redis = kindOf(values.redis);
    if (!['primary', 'replica'].includes(values.feed) || (values.feed === 'replica' && redis !== 'sentinel'))
      refuse(`--feed ${JSON.stringify(values.feed)}: must be primary, or replica with --redis sentinel`);
    const names = FAULT_NAMES[redis].filter((name) => name.includes(values.only));
    if (names.length === 0) refuse(`--only ${JSON.stringify(values.only)}: no fault has such a name`);
    return {
      redis,
      feed: values.feed,
      names,
      viewers: whole('viewers', values.viewers, 1),
      channels: whole('channels', values.channels, 1),
      rate: whole('rate', values.rate, 1),
      drops: whole('drops', values.drops, 0),
      entries: whole('entries', values.entries, 1),
      seed: whole('seed', values.seed, 0),
    };
  } catch (error) {
    return refuse((error as Error).message.split(/\.?(?:\n|\. |$)/)[0] as string);
  }
}

function kindOf(text: string): keyof typeof FAULT_NAMES {
  if (text === 'one' || text === 'sentinel' || text === 'cluster') return text;
  return refuse(`--redis ${JSON.stringify(text)}: must be one of ${Object.keys(FAULT_NAMES).join(', ')}`);
}

function whole(option: string, text: string, min: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= min) return Number(text);
  return refuse(`--${option} ${JSON.stringify(text)}: must be a whole number from ${min}`);
}

function refuse(reason: string): never {
  process.stderr.write(`soak: ${reason}; see npm run soak -- --help\n`);
  process.exit(2);
}
