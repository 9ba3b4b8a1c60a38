// The log behind real Sentinels: whatever happens to the primary, what was acknowledged is shown once, or lies in a gap that is true.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import {
  ask,
  MASTER,
  type SentinelGroup,
  startSentinelGroup,
} from '../../../../test-support/redis-sentinel.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { Sentinels } from '../../../src/broker/redis/sentinels.ts';
import { Ear, line } from '../conformance.ts';
import { EXPLAINED, Ledger, NOTHING_AMISS } from './ledger.ts';

const PATIENCE_MS = 60_000;

let group: SentinelGroup;
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
  await group?.stop(); // the claim about closed ones needs none
}, PATIENCE_MS);

describe('a primary', () => {
  it('that is killed: what it took with it lies in a gap, and nothing comes twice', async () => {
    group = await startSentinelGroup();
    const ledger = await openLedger();
    const before = await group.primary();
    await before.kill();
    await group.movedFrom(before);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
  }, 120_000);

  it('that hangs is left before it goes on: what it took lies in a gap, and nothing comes twice', async () => {
    group = await startSentinelGroup();
    const ledger = await openLedger();
    const before = await group.primary();
    before.pause();
    await group.movedFrom(before);
    await ledger.more();
    before.resume();
    await eventually('it is a replica', async () => (await roleOf(before)) === 'slave', PATIENCE_MS);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
  }, 120_000);

  it('that lives on after a failover that was asked for: each entry that is lost lies in a gap', async () => {
    group = await startSentinelGroup();
    const ledger = await openLedger();
    const before = await group.primary();
    await ask(group.sentinels[0]?.port ?? 0, 'failover', MASTER);
    await group.movedFrom(before);
    await eventually('it is a replica', async () => (await roleOf(before)) === 'slave', PATIENCE_MS);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
  }, 120_000);
});

describe('a primary that takes no writes', () => {
  it('keeps its readers live, says so to writers, and is not connected to again and again', async () => {
    group = await startSentinelGroup({ replicas: 0, sentinels: 1 });
    const ledger = await openLedger();
    const redis = new Redis((await group.primary()).url);
    open.push({ close: async () => redis.disconnect() });
    await redis.config('SET', 'min-replicas-to-write', '1');
    await expect(ledger.writer.publish([line('a', 'refused')])).rejects.toThrow(/NOREPLICAS/);
    const connections = await connectionsOf(redis);
    const positions = ledger.ear.positions.length;
    await ledger.ear.heard(({ positions: now }) => now.length >= positions + 5); // a tick each second
    await ledger.reader.subscribe(['a'], new Ear());
    expect(await ledger.reader.readPage({ channels: ['a'], after: 0, limit: 1 })).toMatchObject({
      done: false,
    });
    expect((await connectionsOf(redis)) - connections).toBeLessThan(3);
    await redis.config('SET', 'min-replicas-to-write', '0');
    await ledger.more();
    expect(ledger.account()).toEqual(NOTHING_AMISS);
  }, 60_000);
});

describe('Sentinels', () => {
  it('that are all gone do not keep away whose connections are cut: the primary that they named is the primary', async () => {
    group = await startSentinelGroup({ replicas: 0, sentinels: 1 });
    const ledger = await openLedger();
    await group.sentinels[0]?.kill();
    await killClients(group.servers[0] as RedisServer);
    await ledger.more();
    expect(ledger.account()).toEqual(NOTHING_AMISS);
  }, 60_000);

  it('a wrong password of the servers is said with the server, and with whose it is; clients learn no address', async () => {
    group = await startSentinelGroup({ replicas: 0, sentinels: 1 });
    const [server] = group.servers as [RedisServer];
    await tell(server, 'CONFIG', 'SET', 'requirepass', 'secret');
    const broker = new RedisBroker({ url: group.url.replace('://', '://:guess@') });
    open.push(broker);
    await expect(broker.open(5_000)).rejects.toThrow(
      new RegExp(`127\\.0\\.0\\.1:${server.port}, named by the Sentinels: WRONGPASS .*of the servers`),
    );
    expect(broker.status().reason).not.toContain('127.0.0.1');
  }, 60_000);

  it('of which one is left still lead to the primary', async () => {
    group = await startSentinelGroup();
    const [first, second] = group.sentinels;
    await first?.kill();
    await second?.kill();
    const ledger = await openLedger();
    await ledger.more();
    expect(ledger.account()).toEqual(NOTHING_AMISS);
  }, 120_000);

  it('that are all gone stop nobody, and lead to another primary when they are back', async () => {
    group = await startSentinelGroup();
    const ledger = await openLedger();
    for (const sentinel of group.sentinels) await sentinel.kill();
    await ledger.more();
    for (const sentinel of group.sentinels) await sentinel.start();
    const before = await group.primary();
    await before.kill();
    await group.movedFrom(before);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
  }, 120_000);

  it('that do not know the name say so at the start, and clients learn no address', async () => {
    group = await startSentinelGroup({ replicas: 0, sentinels: 1 });
    const broker = new RedisBroker({ url: group.url.replace(MASTER, 'other') });
    open.push(broker);
    await expect(broker.open(3_000)).rejects.toThrow(
      /no Sentinel says where the primary is \(127\.0\.0\.1:.*it knows no "other"\)/,
    );
    expect(broker.status().reason).toBe('Redis: no Sentinel says where the primary is');
  }, 60_000);

  it('that are something else are reported as what they are', async () => {
    const server = await startRedis();
    const web = createHttpServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await once(web, 'listening');
    open.push({ close: () => server.stop() }, { close: async () => void web.close() });
    const address = (port: number) => ({ host: '127.0.0.1', port });
    const of = async (port: number, sentinelTls: boolean) => {
      const asked = new Sentinels(
        { sentinels: [address(port)], master: MASTER, sentinelTls, tls: false, db: 0 },
        undefined,
      );
      const { cause } = (await asked.find().catch((error: Error) => error as Error)) as Error;
      asked.close();
      return cause;
    };
    const { port } = web.address() as AddressInfo;
    expect(await of(server.port, false)).toBe(
      `127.0.0.1:${server.port}: it is no Sentinel, but a Redis server; Sentinels listen on 26379 by default`,
    );
    expect(await of(server.port, true)).toBe(
      `127.0.0.1:${server.port}: no TLS connection came about there: does it speak TLS?`,
    );
    expect(await of(port, false)).toBe(`127.0.0.1:${port}: it is a web server, not Redis`);
  }, 30_000);

  it('are not asked in turn any more once they are closed: no connection is left that nobody ends', async () => {
    const [hanging, next] = [await listening(), await listening()];
    const sentinels = [hanging, next].map(({ address }) => address);
    const asked = new Sentinels(
      { sentinels, master: MASTER, sentinelTls: false, tls: false, db: 0 },
      undefined,
    );
    let connected = 0;
    next.server.on('connection', () => connected++);
    const question = once(hanging.server, 'connection');
    const look = asked.find();
    await question;
    asked.close();
    await expect(look).rejects.toThrow('closed');
    expect(connected).toBe(0);
  });
});

async function openLedger(): Promise<Ledger> {
  const ledger = new Ledger({ url: group.url, namespace: randomNamespace() });
  open.push(ledger);
  await ledger.open();
  return ledger;
}

/** A server that accepts connections and never answers. */
async function listening(): Promise<{ server: Server; address: { host: string; port: number } }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: async () => void server.close() });
  return { server, address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } };
}

async function connectionsOf(redis: Redis): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await redis.info('stats'))?.[1]);
}

async function roleOf(server: RedisServer): Promise<string> {
  const [role] = (await tell(server, 'ROLE')) as [string];
  return role;
}

/** Ends every connection to it but the one that says so. */
async function killClients(server: RedisServer): Promise<void> {
  await tell(server, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
  await tell(server, 'CLIENT', 'KILL', 'TYPE', 'normal');
}

/** The answer to one command, by a connection of its own. */
async function tell(server: RedisServer, command: string, ...args: string[]): Promise<unknown> {
  const redis = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined); // the call fails, and is made again
  try {
    await redis.connect();
    return await redis.call(command, ...args);
  } finally {
    redis.disconnect();
  }
}
