// The log in a real Redis Cluster while its nodes fail: what was acknowledged is shown once, or lies in a gap that is true.

import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace } from '../../../../test-support/redis.ts';
import { command, type RedisCluster, startCluster } from '../../../../test-support/redis-cluster.ts';
import { parsePosition } from '../../../src/broker/position.ts';
import { aclLines } from '../../../src/broker/redis/acl.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { Ear, line } from '../conformance.ts';
import { EXPLAINED, Ledger, NOTHING_AMISS } from './ledger.ts';

const PATIENCE_MS = 60_000;

let cluster: RedisCluster;
const open: { close(): Promise<void> }[] = [];
const closing = async () => {
  for (const part of open.splice(0)) await part.close();
};

async function openLedger(): Promise<{ ledger: Ledger; namespace: string; owner: RedisServer }> {
  const namespace = randomNamespace();
  const ledger = new Ledger({ url: cluster.url, namespace });
  open.push(ledger);
  await ledger.open();
  return { ledger, namespace, owner: await cluster.ownerOf(namespace) };
}

describe('the owner of the slot', () => {
  beforeAll(async () => {
    cluster = await startCluster();
  }, PATIENCE_MS);
  afterEach(closing, PATIENCE_MS);
  afterAll(() => cluster.stop());

  it('that is killed: what it took with it lies in a gap, and nothing comes twice', async () => {
    const { ledger, owner, namespace } = await openLedger();
    await owner.kill();
    await cluster.movedFrom(owner, namespace);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
    await owner.restart();
    await cluster.whole();
  }, 120_000);

  it('that is killed while its replica lacks entries: a gap names them', async () => {
    const { ledger, owner, namespace } = await openLedger();
    const replica = await cluster.replicaOf(namespace);
    replica.pause();
    await command(owner, 'CLIENT', 'KILL', 'TYPE', 'replica');
    await ledger.more();
    await owner.kill();
    replica.resume();
    await cluster.movedFrom(owner, namespace);
    await ledger.more();
    const { gaps, ...rest } = ledger.account();
    expect(rest).toMatchObject(EXPLAINED);
    expect(new Set(gaps)).toEqual(new Set(['rollback']));
    await owner.restart();
    await cluster.whole();
  }, 120_000);

  it('that hangs is left before it goes on: what it took lies in a gap, and nothing comes twice', async () => {
    const { ledger, owner, namespace } = await openLedger();
    owner.pause();
    await cluster.movedFrom(owner, namespace);
    await ledger.more();
    owner.resume();
    await eventually('it is a replica', async () => (await roleOf(owner)) === 'slave', PATIENCE_MS);
    await ledger.more();
    expect(ledger.account()).toMatchObject(EXPLAINED);
    await cluster.whole();
  }, 120_000);

  it('that hands over to its replica loses nothing, and no gap is told', async () => {
    const { ledger, owner, namespace } = await openLedger();
    await command(await cluster.replicaOf(namespace), 'CLUSTER', 'FAILOVER');
    await cluster.movedFrom(owner, namespace);
    await ledger.more();
    expect(ledger.account()).toMatchObject({ ...EXPLAINED, missing: 0, gaps: [] });
  }, 120_000);
});

describe('a slot that moves to another shard key by key', () => {
  beforeAll(async () => {
    cluster = await startCluster();
  }, PATIENCE_MS);
  afterEach(closing, PATIENCE_MS);
  afterAll(() => cluster.stop());

  it('refuses a batch whole, never half, and loses nothing', async () => {
    const { ledger, namespace } = await openLedger();
    // One of the batch's two channels is still here, and the other one is there.
    await cluster.moveSlot(namespace, [`{${namespace}}:ch:a`], async () => {
      const batch = [line('b:1', 'refused'), line('a', 'refused')];
      await expect(ledger.writer.publish(batch)).rejects.toThrow(/Redis answered (ASK|TRYAGAIN)/);
    });
    await ledger.more();
    expect(ledger.account()).toMatchObject(NOTHING_AMISS);
    expect(ledger.ear.msgs).not.toContain('refused');
  }, 120_000);
});

describe('a log in a Cluster', () => {
  beforeAll(async () => {
    cluster = await startCluster();
  }, PATIENCE_MS);
  afterEach(closing, PATIENCE_MS);
  afterAll(() => cluster.stop());

  it('adopts a plain PUBLISH on any node', async () => {
    const namespace = randomNamespace();
    const broker = new RedisBroker({ url: cluster.url, namespace, adopt: ['logs*'] });
    open.push(broker);
    await broker.open(PATIENCE_MS);
    const ear = new Ear();
    await broker.subscribe(['logs:plain'], ear);
    for (const [i, node] of cluster.nodes.entries())
      await command(node, 'PUBLISH', `{${namespace}}:logs:plain`, `by ${i}`);
    await ear.heard(({ records }) => records.length === cluster.nodes.length);
    expect([...ear.msgs].sort()).toEqual(cluster.nodes.map((_, i) => `by ${i}`));
  }, 60_000);

  it('tells of lost entries by the channel of its slot, in their place', async () => {
    const namespace = randomNamespace();
    const broker = new RedisBroker({ url: cluster.url, namespace });
    open.push(broker);
    await broker.open(PATIENCE_MS);
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    const [id] = await broker.publish([line('a', 'before')]);
    const before = parsePosition(id ?? '') ?? 0;
    // As a process leaves it that knows of an entry which is gone.
    await command(await cluster.ownerOf(namespace), 'HSET', `{${namespace}}:log`, 'lost', `${before - 5}`);
    await ear.heard(({ gaps }) => gaps.length === 1);
    await broker.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    expect(ear.gaps).toMatchObject([{ after: before - 5, before: before + 2, reason: 'rollback' }]);
  }, 60_000);

  it('takes a gateway and a writer whose Redis users have no more rights than they need', async () => {
    const namespace = randomNamespace();
    const password = 'secret';
    const passwordSha256 = createHash('sha256').update(password).digest('hex');
    const as = (role: 'gateway' | 'writer') => {
      const url = cluster.url.replace('redis+cluster://', `redis+cluster://${role}:${password}@`);
      const broker = new RedisBroker({ url, namespace, ...(role === 'gateway' && { adopt: ['logs*'] }) });
      open.push(broker);
      return broker;
    };
    const its = { namespace, channels: ['logs*'], isSharded: true, redisVersion: '7.0.0', passwordSha256 };
    for (const role of ['gateway', 'writer'] as const)
      for (const text of aclLines({ ...its, role, user: role }))
        for (const node of cluster.nodes) await command(node, 'ACL', 'SETUSER', ...text.split(' ').slice(1));
    const [gateway, writer] = [as('gateway'), as('writer')];
    await gateway.open(PATIENCE_MS);
    const ear = new Ear();
    await gateway.subscribe(['logs:a'], ear);
    await writer.publish([line('logs:a', 'by the writer')]);
    await ear.heard(({ msgs }) => msgs.includes('by the writer'));
    for (const node of cluster.nodes) expect(await command(node, 'ACL', 'LOG')).toEqual([]);
  }, 60_000);

  it('is found by one node that answers, and a node is not taken for a server of its own', async () => {
    const [first, , last] = cluster.nodes as RedisServer[];
    const url = `redis+cluster://127.0.0.1:1?addr=127.0.0.1:${last?.port}`;
    const broker = new RedisBroker({ url });
    const plain = new RedisBroker({ url: first?.url ?? '' });
    open.push(broker, plain);
    await broker.open(PATIENCE_MS);
    expect(broker.status().ready).toBe(true);
    await expect(plain.open(2_000)).rejects.toThrow(/it is a node of a Redis Cluster: write redis\+cluster:/);
  }, 60_000);
});

async function roleOf(node: RedisServer): Promise<unknown> {
  return ((await command(node, 'ROLE')) as [string])[0];
}
