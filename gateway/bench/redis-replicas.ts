// What feeds from replicas buy: 100 gateways' subscribers, as raw sockets, listen to one Redis, or to two replicas of it, while entries are
// appended in tens as fast as all of them hear. Says entries a second, egress, latency, and the CPU of each server for an entry.
//
//   npx node gateway/bench/redis-replicas.ts [seconds of each]

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { Redis } from 'ioredis';
import { eventually } from '../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../test-support/redis.ts';

const GATEWAYS = 100;
const AT_ONCE = 10;
/** Batches whose announcements not all sockets have yet. More would only wait in Redis. */
const UNDER_WAY = 4;
const NAMESPACE = 'bench';
const MESSAGE = 'x'.repeat(200);

const seconds = Number(process.argv[2] ?? 5);
// A subscriber that reads slowly on a busy machine is not cut off.
const patient = ['--client-output-buffer-limit', 'pubsub', '0', '0', '0', '--repl-diskless-sync-delay', '0'];
const primary = await startRedis({ args: patient });
const replicas: RedisServer[] = [];

console.log(
  `load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores, which also run the ${GATEWAYS} sockets`,
);
console.log(
  '| listening to | entries/s | egress Mbit/s | p50 ms | p99 ms | primary µs an entry | each replica | a full core would take |',
);
console.log('|---|---|---|---|---|---|---|---|');
await measure('the primary', [primary]);
for (let i = 0; i < 2; i++)
  replicas.push(await startRedis({ args: [...patient, '--replicaof', '127.0.0.1', `${primary.port}`] }));
for (const replica of replicas)
  await eventually('a replica', async () =>
    (await infoOf(replica, 'replication')).includes('master_link_status:up'),
  );
await measure('the primary, with two idle replicas', [primary]);
await measure('two replicas', replicas);
for (const server of [...replicas, primary]) await server.stop();

async function measure(name: string, feeding: readonly RedisServer[]): Promise<void> {
  const log = new RedisBroker({ url: primary.url, namespace: NAMESPACE });
  const sockets: Socket[] = [];
  let bytes = 0;
  for (let i = 0; i < GATEWAYS; i++) {
    const socket = connect((feeding[i % feeding.length] as RedisServer).port, '127.0.0.1');
    socket.write(`PSUBSCRIBE {${NAMESPACE}}:=*\r\n`);
    await once(socket, 'data');
    sockets.push(socket);
  }
  /** Bytes that each socket has got. */
  const got = new Float64Array(GATEWAYS);
  let wake = () => {};
  for (const [i, socket] of sockets.entries())
    socket.on('data', ({ length }) => {
      got[i] = (got[i] as number) + length;
      bytes += length;
      wake();
    });
  const drafts = Array.from({ length: AT_ONCE }, () =>
    draft({ time: Date.now(), channel: 'logs:bench', source: 'bench', level: 'info', msg: MESSAGE }),
  );
  // The second batch shows how many bytes one has: in the first, an entry may have no other before it.
  await log.publish(drafts);
  await settled(got);
  const first = got[0] as number;
  await log.publish(drafts);
  await settled(got, first);
  const batchBytes = (got[0] as number) - first;
  got.fill(0);

  const before = await Promise.all([primary, ...replicas].map(cpuOf));
  const latencies: number[] = [];
  const sentAt: number[] = [];
  let heard = 0;
  bytes = 0;
  const began = performance.now();
  const publishing: Promise<unknown>[] = [];
  for (;;) {
    const isOver = performance.now() - began >= seconds * 1_000;
    const slowest = Math.floor(Math.min(...got) / batchBytes);
    for (; heard < slowest; heard++) latencies.push(performance.now() - (sentAt[heard] as number));
    if (isOver && heard === sentAt.length) break;
    if (!isOver && sentAt.length - heard < UNDER_WAY) {
      sentAt.push(performance.now());
      publishing.push(log.publish(drafts));
    } else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
  const took = (performance.now() - began) / 1_000;
  await Promise.all(publishing);
  const after = await Promise.all([primary, ...replicas].map(cpuOf));
  const entries = sentAt.length * AT_ONCE;
  const costs = after.map((cpu, i) => (cpu - (before[i] as number)) / entries);
  latencies.sort((a, b) => a - b);
  const percentile = (share: number) =>
    (latencies[Math.floor(latencies.length * share)] ?? Number.NaN).toFixed(1);
  const [own = 0, ...others] = costs.map((cost) => Math.round(cost));
  const cells = [
    name,
    Math.round(entries / took),
    Math.round((bytes * 8) / took / 1e6),
    percentile(0.5),
    percentile(0.99),
    own,
    others.length > 0 ? others.join(', ') : '–',
    `${Math.round(1e6 / Math.max(...costs))}/s`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
  for (const socket of sockets) socket.destroy();
  await log.close();
}

/** Resolves when all sockets have got the same, and more than `before`. A batch comes in one piece, or its pieces come to all. */
async function settled(got: Float64Array, before = 0): Promise<void> {
  await eventually(
    'all have heard',
    () => (got[0] as number) > before && got.every((bytes) => bytes === got[0]),
  );
}

/** Microseconds of CPU that a server has used. */
async function cpuOf(server: RedisServer): Promise<number> {
  const info = await infoOf(server, 'cpu');
  const spent = (name: string) => Number(new RegExp(`^used_cpu_${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return (spent('user') + spent('sys')) * 1e6;
}

async function infoOf(server: RedisServer, section: string): Promise<string> {
  const redis = new Redis(server.url);
  try {
    return await redis.info(section);
  } finally {
    redis.disconnect();
  }
}
