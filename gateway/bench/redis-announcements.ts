// What it costs Redis to hand an announcement to one more gateway: the CPU of a redis-server for each PUBLISH with 1 and with 101
// subscribers that only read. Announcements that come together (`at once`) leave for a subscriber in one write of Redis.
//
//   npx node gateway/bench/redis-announcements.ts [rounds]

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { Redis } from 'ioredis';
import { startRedis } from '../../test-support/redis.ts';

const CHANNEL = '{llm}:=logs';
/** As an announced entry of the bench. */
const MESSAGE = 'x'.repeat(360);
/** Subscribers beside the first. */
const MORE = 100;
const PUBLISHES = 5_000;
const AT_ONCE = [1, 10, 100];

const rounds = Number(process.argv[2] ?? 3);
// A subscriber that reads slowly on a busy machine is not cut off.
const server = await startRedis({ args: ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'] });
const redis = new Redis(server.url);
const command = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
/** What a subscriber gets of one PUBLISH: a reply of the same form as a command. */
const delivered = command('message', CHANNEL, MESSAGE).length;
const sockets: Socket[] = [];
let received = 0;

console.log(`load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores; medians of ${rounds}`);
for (const atOnce of AT_ONCE) {
  const costs: { first: number; further: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const [one, many] = [await cpuOfPublish(1, atOnce), await cpuOfPublish(1 + MORE, atOnce)];
    costs.push({ first: one, further: (many - one) / MORE });
  }
  const median = (pick: 'first' | 'further') =>
    costs
      .map((cost) => cost[pick])
      .sort((a, b) => a - b)
      [costs.length >> 1]?.toFixed(2);
  console.log(
    `${atOnce} at once: ${median('first')} µs a PUBLISH with one subscriber, ${median('further')} for each further one`,
  );
}
for (const socket of sockets) socket.destroy();
redis.disconnect();
await server.stop();

/** Microseconds of the server's CPU for each PUBLISH, until all subscribers have it. */
async function cpuOfPublish(subscribers: number, atOnce: number): Promise<number> {
  for (const socket of sockets.splice(subscribers)) await once(socket.end(), 'close');
  while (sockets.length < subscribers) sockets.push(await subscribed());
  received = 0;
  const before = await cpu();
  for (let sent = 0; sent < PUBLISHES; sent += atOnce) {
    const batch = redis.pipeline();
    for (let i = 0; i < atOnce; i++) batch.publish(CHANNEL, MESSAGE);
    await batch.exec();
  }
  while (received < PUBLISHES * subscribers * delivered) await new Promise(setImmediate);
  return ((await cpu()) - before) / PUBLISHES;
}

async function subscribed(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(command('SUBSCRIBE', CHANNEL));
  await once(socket, 'data');
  socket.on('data', ({ length }) => {
    received += length;
  });
  return socket;
}

async function cpu(): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (name: string) => Number(new RegExp(`^used_cpu_${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return (seconds('user') + seconds('sys')) * 1e6;
}
