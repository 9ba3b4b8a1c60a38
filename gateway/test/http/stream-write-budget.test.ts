// However many viewers come at once, everything else that the gateway does waits for a few of them only.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { LocalConnectionLimiter } from '../../src/stream/viewer/connection-limiter.ts';

const CLIENTS = 200;
const REQUEST = 'GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n';

class CountingLimiter extends LocalConnectionLimiter {
  acquired = 0;

  override acquire(address: string) {
    this.acquired++;
    return super.acquire(address);
  }
}

let broker: MemoryBroker;
let app: FastifyInstance;
let limiter: CountingLimiter;
let clients: Socket[];

beforeEach(async () => {
  const config = readGatewayConfig({});
  const registry = new Registry();
  broker = new MemoryBroker();
  limiter = new CountingLimiter({ maxConnections: 0, maxPerAddress: 0 });
  const totals = { registry, limiter, metrics: () => registry.metrics() };
  app = createApp(config, broker, createLogger('gateway', 'silent', true), totals);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  clients = Array.from({ length: CLIENTS }, () => connect(port, '127.0.0.1'));
  while ((await connected()) < CLIENTS) await round();
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await app.close();
  await broker.close();
});

const round = () => new Promise((resolve) => setImmediate(resolve));
const connected = () =>
  new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));

it('begins a few streams in each round of the event loop, and all of them', async () => {
  const perRound: number[] = [];
  const answered = Promise.all(clients.map((client) => once(client, 'data')));
  for (const client of clients) client.write(REQUEST);
  for (let before = 0; limiter.acquired < CLIENTS; before = limiter.acquired) {
    await round();
    perRound.push(limiter.acquired - before);
  }
  await answered;
  expect(Math.max(...perRound)).toBeLessThanOrEqual(CLIENTS / 4);
});

it('begins no stream for a client that is gone by then', async () => {
  for (const client of clients) client.write(REQUEST);
  while (limiter.acquired === 0) await round();
  for (const client of clients) client.resetAndDestroy();
  while ((await connected()) > 0) await round();
  for (let i = 0; i < CLIENTS; i++) await round();
  expect(limiter.acquired).toBeLessThan(CLIENTS / 2);
});

it('does not let pipelined requests wait: nothing would hold their client back', async () => {
  const [client] = clients as [Socket];
  client.write(REQUEST.repeat(CLIENTS));
  while (limiter.acquired === 0) await round();
  expect(limiter.acquired).toBe(CLIENTS);
});
