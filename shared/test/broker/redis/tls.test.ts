// The log behind Sentinels and in a Cluster that speak TLS, with a certificate of one's own: found, written and read by TLS alone.

import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { freePort, type RedisServer, startRedis } from '../../../../test-support/redis.ts';
import { command } from '../../../../test-support/redis-cluster.ts';
import { startSentinelGroup } from '../../../../test-support/redis-sentinel.ts';
import { makeCertificate, type TestCertificate } from '../../../../test-support/redis-tls.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { Ear, line } from '../conformance.ts';

const PATIENCE_MS = 60_000;
const SLOTS = 16_384;

const known = getCACertificates();
const open: { close(): unknown }[] = [];
let certificate: TestCertificate;
beforeAll(async () => {
  certificate = await makeCertificate();
});
afterEach(async () => {
  setDefaultCACertificates(known);
  for (const part of open.splice(0).reverse()) await part.close();
}, PATIENCE_MS);
afterAll(() => certificate.remove());

/** What NODE_EXTRA_CA_CERTS does for a process. */
const trust = () => setDefaultCACertificates([...known, certificate.pem]);

function brokerAt(url: string, options: { namespace?: string; fromReplica?: boolean } = {}): RedisBroker {
  const broker = new RedisBroker({ url, ...options });
  open.push(broker);
  return broker;
}

async function goesThrough(broker: RedisBroker, ear: Ear, msg: string): Promise<void> {
  await eventually(`${msg} is stored`, () => broker.publish([line('a', msg)]).then(() => true), PATIENCE_MS);
  await ear.heard(({ msgs }) => msgs.includes(msg));
}

it('Sentinels lead to a primary, to its replica, and to the next primary', async () => {
  const group = await startSentinelGroup({ certificate });
  open.push({ close: () => group.stop() });
  trust();
  const broker = brokerAt(group.url, { fromReplica: true });
  await broker.open(PATIENCE_MS);
  const ear = new Ear();
  await broker.subscribe(['*'], ear);
  await goesThrough(broker, ear, 'before');
  expect(broker.status().warning ?? '').not.toContain('no replica can be read from');
  const before = await group.primary();
  await before.kill();
  await group.movedFrom(before);
  await goesThrough(broker, ear, 'after');
}, 120_000);

it('a Cluster names nodes by their ports of TLS, and the owner of the slot is found', async () => {
  const [first, second] = [await startNode(), await startNode()];
  const half = SLOTS / 2;
  await command(first.node, 'CLUSTER', 'ADDSLOTSRANGE', '0', `${half - 1}`);
  await command(second.node, 'CLUSTER', 'ADDSLOTSRANGE', `${half}`, `${SLOTS - 1}`);
  await command(first.node, 'CLUSTER', 'MEET', '127.0.0.1', `${second.tls}`, `${second.bus}`);
  for (const { node } of [first, second])
    await eventually(
      'all slots are served',
      async () => `${await command(node, 'CLUSTER', 'INFO')}`.includes('cluster_state:ok'),
      PATIENCE_MS,
    );
  const slotOf = async (namespace: string) =>
    Number(await command(first.node, 'CLUSTER', 'KEYSLOT', `{${namespace}}:`));
  let namespace = 'a';
  while ((await slotOf(namespace)) < half) namespace += 'a';
  trust();
  const broker = brokerAt(`rediss+cluster://127.0.0.1:${first.tls}`, { namespace });
  await broker.open(PATIENCE_MS);
  const ear = new Ear();
  await broker.subscribe(['*'], ear);
  await goesThrough(broker, ear, 'by TLS');
  expect(`${await command(second.node, 'EXISTS', `{${namespace}}:log`)}`).toBe('1');
}, 120_000);

it('a certificate that nobody trusts is refused, and the operator is told', async () => {
  const group = await startSentinelGroup({ replicas: 0, sentinels: 1, certificate });
  open.push({ close: () => group.stop() });
  await expect(brokerAt(group.url).open(3_000)).rejects.toThrow(/self-signed certificate/);
}, 60_000);

/** A node that speaks TLS to gateways and to other nodes, and without it to this test. */
async function startNode(): Promise<{ node: RedisServer; tls: number; bus: number }> {
  const [tls, bus] = [await freePort(), await freePort()];
  const its = [
    ['tls-port', `${tls}`],
    ['cluster-port', `${bus}`],
    ['tls-cluster', 'yes'],
    ...certificate.config,
  ];
  const args = its.flatMap(([name, value]) => [`--${name}`, value ?? '']);
  const node = await startRedis({ args: ['--cluster-enabled', 'yes', ...args] });
  open.push({ close: () => node.stop() });
  return { node, tls, bus };
}
