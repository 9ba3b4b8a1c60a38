// A reader that is fed by a replica: whatever happens to replicas and to the primary, it misses nothing that no gap names.

import { Redis } from 'ioredis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { ask, MASTER, startSentinelGroup } from '../../../../test-support/redis-sentinel.ts';
import { parsePosition } from '../../../src/broker/position.ts';
import { RedisJanitor } from '../../../src/broker/redis/janitor.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { RedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../../../src/broker/retention.ts';
import type { Logger } from '../../../src/logger.ts';
import { Ear, line, testBroker } from '../conformance.ts';
import { EXPLAINED, Ledger, NOTHING_AMISS } from './ledger.ts';
import { RedisRelay } from './redis-relay.ts';
import { redisStage } from './redis-stage.ts';

const PATIENCE_MS = 60_000;
const SUBSCRIBER = 'name=llm-streamer-subscriber ';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part.close();
}, PATIENCE_MS);

async function server(...args: string[]): Promise<RedisServer> {
  const started = await startRedis({ args: ['--repl-diskless-sync-delay', '0', ...args] });
  open.push({ close: () => started.stop() });
  return started;
}

/** A replica of `primary`, once that counts it as online. */
async function replicaOf(primary: RedisServer, ...args: string[]): Promise<RedisServer> {
  const replica = await server('--replicaof', '127.0.0.1', `${primary.port}`, ...args);
  await isOnline(primary, replica);
  return replica;
}

function isOnline(primary: RedisServer, replica: RedisServer): Promise<true> {
  const online = new RegExp(`port=${replica.port},state=online`);
  return eventually(
    'it follows',
    async () => online.test(await tell(primary, 'INFO', 'replication')),
    PATIENCE_MS,
  );
}

/** The answer to one command, by a connection of its own; '' from a server that is away. */
async function tell(to: RedisServer, command: string, ...args: string[]): Promise<string> {
  const redis = new Redis(to.url, { lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return `${await redis.call(command, ...args)}`;
  } catch {
    return '';
  } finally {
    redis.disconnect();
  }
}

function isFedBy(feeding: RedisServer): Promise<true> {
  const feeds = async () => (await tell(feeding, 'CLIENT', 'LIST')).includes(SUBSCRIBER);
  return eventually(`port ${feeding.port} feeds the reader`, feeds, PATIENCE_MS);
}

async function broker(options: RedisBrokerOptions): Promise<RedisBroker> {
  const made = new RedisBroker({ fromReplica: true, namespace: randomNamespace(), ...options });
  open.push(made);
  await made.open(10_000);
  return made;
}

async function openLedger(url: string): Promise<Ledger> {
  const ledger = new Ledger({ url, namespace: randomNamespace() }, { fromReplica: true, adopt: ['plain*'] });
  open.push(ledger);
  await ledger.open();
  return ledger;
}

describe('the contract', () => {
  const stage = redisStage();
  const made = new Map<unknown, { namespace: string; retention: RetentionPolicy }>();
  let replica: RedisServer | undefined;
  afterAll(() => replica?.stop());
  testBroker(
    async (options = {}) => {
      replica ??= await startRedis({ args: ['--replicaof', '127.0.0.1', `${stage.server.port}`] });
      await isOnline(stage.server, replica);
      const namespace = randomNamespace();
      const retention = { ...DEFAULT_RETENTION, ...options.retention };
      const fed = await stage.broker({ namespace, retention, fromReplica: true });
      made.set(fed, { namespace, retention });
      return fed;
    },
    async (fed, channel) => {
      const { namespace, retention } = made.get(fed) ?? expect.fail('another broker');
      await stage.redis.del(`{${namespace}}:ch:${channel}`);
      await new RedisJanitor(await stage.client(), new RedisKeys(namespace), retention, undefined).sweep();
    },
  );
});

describe('a replica', () => {
  it('takes its readers back after a cut while the primary takes no writes', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const log = await broker({ url: primary.url });
    await isFedBy(replica);
    await tell(primary, 'CONFIG', 'SET', 'min-replicas-to-write', '2');
    const before = log.status().reconnects;
    await tell(replica, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('it is live again', async () => log.status().reconnects > before, PATIENCE_MS);
    await log.subscribe(['*'], new Ear());
    await isFedBy(replica);
  }, 60_000);

  it('whose password is another one is named to the operator, and clients learn what it answers', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    await tell(replica, 'CONFIG', 'SET', 'requirepass', 'other');
    const said: string[] = [];
    const note = (_: unknown, text?: string) => void said.push(text ?? String(_));
    const logger = { debug() {}, info() {}, warn: note, error: note } as unknown as Logger;
    const log = await broker({ url: primary.url, logger });
    await eventually(
      'it says so',
      async () => log.status().warning?.includes('NOAUTH') ?? false,
      PATIENCE_MS,
    );
    expect(said.join('\n')).toMatch(
      new RegExp(`the primary is \\(127\\.0\\.0\\.1:${replica.port}: .*NOAUTH`),
    );
    expect(log.status().warning).not.toContain('127.0.0.1');
  }, 30_000);

  it('brings what is live and what is history, and the primary is spared', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const log = await broker({ url: primary.url });
    await isFedBy(replica);
    const ear = new Ear();
    await log.subscribe(['*'], ear);
    await log.publish([line('a', '1'), line('b', '2')]);
    await ear.heard(({ msgs }) => msgs.length === 2);
    await eventually('history is read there', async () => {
      const page = await log.readPage({ channels: ['*'], after: 0, limit: 10 });
      expect(page.items.map(({ record }) => record?.entry.msg)).toEqual(['1', '2']);
      return (await tell(replica, 'INFO', 'commandstats')).includes('cmdstat_xrange:');
    });
    expect(await tell(primary, 'CLIENT', 'LIST')).not.toContain(SUBSCRIBER);
  }, 30_000);

  it('that hangs delays no page of history, and what it lacks comes from the primary', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const log = await broker({ url: primary.url });
    await isFedBy(replica);
    replica.pause();
    await log.publish([line('a', '1')]);
    const page = await log.readPage({ channels: ['a'], after: 0, limit: 10 });
    expect(page.items.map(({ record }) => record?.entry.msg)).toEqual(['1']);
  }, 30_000);

  it('that is killed is missed by nobody, and is used again when it is back', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const ledger = await openLedger(primary.url);
    await isFedBy(replica);
    await replica.kill();
    await ledger.more();
    expect(ledger.reader.status().warning).toContain('no replica can be read from');
    await replica.restart();
    await isFedBy(replica);
    await ledger.more();
    expect(ledger.reader.status().warning).not.toContain('no replica can be read from');
    expect(ledger.account()).toEqual(NOTHING_AMISS);
  }, 60_000);

  it('that hangs is left, and nothing is missed', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const ledger = await openLedger(primary.url);
    await isFedBy(replica);
    replica.pause();
    await isFedBy(primary);
    await ledger.more();
    replica.resume();
    await ledger.more();
    expect(ledger.account()).toEqual(NOTHING_AMISS);
  }, 60_000);

  it.each(['disabled', 'swapdb'])(
    'that loads a copy (%s) swallows nothing, also on a channel where nothing follows',
    async (load) => {
      const primary = await server('--enable-debug-command', 'yes');
      const replica = await replicaOf(primary, '--repl-diskless-load', load);
      const log = await broker({ url: primary.url });
      await isFedBy(replica);
      const ear = new Ear();
      await log.subscribe(['*'], ear);
      const client = new Redis(primary.url);
      open.push({ close: () => client.disconnect() });
      replica.pause();
      // The link ends, so that the entry is never sent; and with another id of its history the primary sends a copy of all.
      await client.call('CLIENT', 'KILL', 'TYPE', 'replica');
      await client.call('DEBUG', 'CHANGE-REPL-ID');
      await log.publish([line('quiet', 'swallowed')]);
      replica.resume();
      await ear.heard(({ msgs }) => msgs.includes('swallowed'));
      expect(await tell(primary, 'INFO', 'stats')).toMatch(/sync_full:2/);
      await log.publish([line('b', 'after')]);
      await ear.heard(({ msgs }) => msgs.includes('after'));
      expect(ear.msgs).toEqual(['swallowed', 'after']);
      expect(ear.gaps).toEqual([]);
    },
    30_000,
  );

  it('that is not there: the primary is read from, and that is said', async () => {
    const primary = await server();
    const log = await broker({ url: primary.url });
    expect(log.status()).toMatchObject({
      ready: true,
      warning: expect.stringContaining('no replica can be read from'),
    });
    const ear = new Ear();
    await log.subscribe(['a'], ear);
    await log.publish([line('a', '1')]);
    await ear.heard(({ msgs }) => msgs.length === 1);
  }, 30_000);
});

describe('plain PUBLISHes', () => {
  it('are adopted once each while a gateway that a replica feeds gives way to one that the primary feeds', async () => {
    const primary = await server();
    const replica = await replicaOf(primary);
    const options = { url: primary.url, namespace: randomNamespace(), adopt: ['plain*'] };
    const first = await broker(options);
    await isFedBy(replica);
    const second = await broker({ ...options, fromReplica: false });
    const ear = new Ear();
    await second.subscribe(['plain'], ear);
    const client = new Redis(primary.url);
    open.push({ close: () => client.disconnect() });
    const name = `{${options.namespace}}:plain`;
    let sent = 0;
    const send = async (count: number) => {
      for (let i = 0; i < count; i++) await client.publish(name, `${++sent}`);
    };
    await eventually('the first adopts', async () => {
      await send(1);
      return first.status().adopted > 0;
    });
    const before = Number(ear.msgs[0] ?? sent);
    const closing = first.close();
    await send(500);
    await closing;
    await send(20);
    await ear.heard(({ msgs }) => msgs.includes(`${sent}`));
    const expected = Array.from({ length: sent - before + 1 }, (_, i) => `${before + i}`);
    expect(ear.msgs.filter((msg) => Number(msg) >= before)).toEqual(expected);
  }, 60_000);
});

describe('a primary whose address moves to another server', () => {
  it('took what no replica has got: a gap names it, although its writer hears first what was written since', async () => {
    const primary = await server();
    const feeding = await replicaOf(primary);
    const relay = await RedisRelay.start(primary.port);
    open.push({ close: () => relay.cut() });
    const options = { url: relay.url, namespace: randomNamespace() };
    const log = await broker(options);
    await isFedBy(feeding);
    const ear = new Ear();
    await log.subscribe(['*'], ear);
    await log.publish([line('a', 'kept')]);
    await ear.heard(({ msgs }) => msgs.includes('kept'));
    const next = await replicaOf(primary);
    for (const replica of [feeding, next]) replica.pause();
    await tell(primary, 'CLIENT', 'KILL', 'TYPE', 'replica');
    const [id] = await log.publish([line('a', 'lost')]);
    const lost = parsePosition(id ?? '') ?? 0;
    await primary.kill();
    for (const replica of [feeding, next]) replica.resume();
    await tell(next, 'REPLICAOF', 'NO', 'ONE');
    await tell(feeding, 'REPLICAOF', '127.0.0.1', `${next.port}`);
    await isOnline(next, feeding);
    const other = await broker({ ...options, url: next.url, fromReplica: false });
    await other.publish([line('b', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    relay.leadTo(next.port);
    await ear.heard(({ gaps }) => gaps.length > 0);
    expect(ear.msgs).toEqual(['kept', 'after']);
    expect(ear.gaps).toMatchObject([{ channel: null, reason: 'rollback' }]);
    expect(ear.gaps[0]?.after).toBeLessThan(lost);
    expect(ear.gaps[0]?.before).toBeGreaterThan(lost);
  }, 60_000);
});

describe('a primary behind Sentinels', () => {
  it('that is killed: nothing is missed without a gap, and nothing comes twice', async () => {
    const group = await startSentinelGroup({ replicas: 2 });
    open.push({ close: () => group.stop() });
    const ledger = await openLedger(group.url);
    const before = await group.primary();
    await before.kill();
    await group.movedFrom(before);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
  }, 120_000);

  it('that took what no replica has got: one rollback names it to readers who have seen nothing of it', async () => {
    const group = await startSentinelGroup({ replicas: 2 });
    open.push({ close: () => group.stop() });
    const before = await group.primary();
    const replicas = group.servers.filter(({ port }) => port !== before.port);
    const log = await broker({ url: group.url });
    const ear = new Ear();
    await log.subscribe(['*'], ear);
    await log.publish([line('a', 'kept')]);
    await ear.heard(({ msgs }) => msgs.includes('kept'));
    for (const replica of replicas) replica.pause();
    await tell(before, 'CLIENT', 'KILL', 'TYPE', 'replica');
    const [id] = await log.publish([line('a', 'lost')]);
    const lost = parsePosition(id ?? '') ?? 0;
    await before.kill();
    for (const replica of replicas) replica.resume();
    await group.movedFrom(before);
    await eventually('it is written on again', () =>
      log.publish([line('b', 'after')]).then(
        () => true,
        () => false,
      ),
    );
    await ear.heard(({ msgs }) => msgs.includes('after'));
    expect(ear.msgs).toEqual(['kept', 'after']);
    expect(ear.gaps).toMatchObject([{ channel: null, reason: 'rollback' }]);
    expect(ear.gaps[0]?.after).toBeLessThan(lost);
    expect(ear.gaps[0]?.before).toBeGreaterThan(lost);
  }, 120_000);

  it('whose place a replica takes that lacks what was shown: one rollback names it', async () => {
    const group = await startSentinelGroup({ replicas: 2 });
    open.push({ close: () => group.stop() });
    const [, feeding, other] = group.servers as [RedisServer, RedisServer, RedisServer];
    const before = await group.primary();
    await tell(feeding, 'CONFIG', 'SET', 'replica-priority', '0'); // the Sentinels never choose this one
    for (const { port } of group.sentinels)
      await eventually('all know that', async () =>
        `${await ask(port, 'replicas', MASTER)}`.includes('slave-priority,0,'),
      );
    other.pause();
    const client = new Redis(before.url);
    client.on('error', () => undefined); // its server is killed
    open.push({ close: () => client.disconnect() });
    const log = await broker({ url: group.url });
    await isFedBy(feeding);
    const ear = new Ear();
    await log.subscribe(['*'], ear);
    await client.call('CLIENT', 'KILL', 'TYPE', 'replica'); // the one that runs is back at once, and gets what follows
    await log.publish([line('a', 'lost')]);
    await ear.heard(({ msgs }) => msgs.includes('lost'));
    await before.kill();
    other.resume();
    await group.movedFrom(before);
    await eventually('it is written on again', () =>
      log.publish([line('b', 'after')]).then(
        () => true,
        () => false,
      ),
    );
    await ear.heard(({ msgs }) => msgs.includes('after'));
    const { items } = await log.readPage({ channels: ['a'], after: 0, limit: 10 });
    expect(items.map(({ gap }) => gap?.reason)).toEqual(['rollback']); // nothing else is left
    expect(ear.gaps).toMatchObject([{ reason: 'rollback' }]);
    const [lost] = ear.records;
    expect(ear.gaps[0]?.after).toBeLessThan(lost?.n ?? 0);
    expect(ear.gaps[0]?.before).toBeGreaterThan(lost?.n ?? 0);
  }, 120_000);
});
