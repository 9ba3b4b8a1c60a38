// A Redis Cluster on free ports of 127.0.0.1: three shards, each of a primary and a replica, as real processes.

import { Redis } from 'ioredis';
import { eventually } from './process.ts';
import { freePort, type RedisServer, startRedis } from './redis.ts';

/** After this long without an answer a node is down for the others. */
const NODE_TIMEOUT_MS = 2_000;
const PATIENCE_MS = 60_000;
const SHARDS = 3;
const SLOTS = 16_384;

export interface RedisCluster {
  readonly url: string;
  /** First the primaries with which the Cluster begins, then a replica of each in the same order. */
  readonly nodes: readonly RedisServer[];
  /** The node that owns the slot of a namespace, as all nodes that run say. */
  ownerOf(namespace: string): Promise<RedisServer>;
  /** The replica of what owns the slot of a namespace now. */
  replicaOf(namespace: string): Promise<RedisServer>;
  /** Resolves when another node than `before` owns the slot, and all that run agree. */
  movedFrom(before: RedisServer, namespace: string): Promise<RedisServer>;
  /** Moves the slot of a namespace to another shard, key by key. `midway` is called when the keys in `first` have moved. */
  moveSlot(namespace: string, first?: readonly string[], midway?: () => Promise<void>): Promise<void>;
  /** Resolves when all nodes run, and each shard has a primary and a replica that follows it. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<RedisCluster> {
  const started = await Promise.all(Array.from({ length: 2 * SHARDS }, startNode));
  const nodes = started.map(({ node }) => node);
  for (const [i, node] of nodes.entries()) {
    // Nodes that begin with the same epoch settle that later, in the midst of a test.
    await command(node, 'CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`);
    const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / SHARDS)) as [number, number];
    if (i < SHARDS) await command(node, 'CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to - 1}`);
  }
  for (const { node, bus } of started.slice(1))
    await command(at(nodes, 0), 'CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, `${bus}`);
  const ids = (await Promise.all(nodes.map((node) => command(node, 'CLUSTER', 'MYID')))) as string[];
  for (let shard = 0; shard < SHARDS; shard++) {
    const replica = at(nodes, SHARDS + shard);
    // It must have heard of its primary first.
    await eventually(
      'a replica',
      async () => (await command(replica, 'CLUSTER', 'REPLICATE', ids[shard] ?? '')) === 'OK',
      PATIENCE_MS,
    );
  }
  const running = async () => {
    const answers = await Promise.all(nodes.map((node) => slotsOf(node).catch(() => undefined)));
    return answers.filter((answer) => answer !== undefined);
  };
  const find = async (namespace: string, index: number): Promise<RedisServer | undefined> => {
    const slot = Number(await command(await anyOf(nodes), 'CLUSTER', 'KEYSLOT', `{${namespace}}:`));
    const ports = (await running()).map(
      (ranges) => ranges.find(({ first, last }) => first <= slot && slot <= last)?.ports[index],
    );
    return ports.every((port) => port === ports[0]) ? nodes.find(({ port }) => port === ports[0]) : undefined;
  };
  const settled = async (namespace: string, index: number, isIt = (_node: RedisServer) => true) => {
    let found: RedisServer | undefined;
    await eventually(
      'all nodes agree',
      async () => {
        found = await find(namespace, index);
        return found !== undefined && isIt(found);
      },
      PATIENCE_MS,
    );
    return found as RedisServer;
  };
  const whole = () =>
    eventually(
      'the Cluster is whole',
      async () => {
        const ranges = await running();
        const ask = (...what: string[]) =>
          Promise.all(nodes.map((node) => command(node, ...(what as [string]))));
        const [states, links] = await Promise.all([ask('CLUSTER', 'INFO'), ask('INFO', 'replication')]);
        return (
          ranges.length === nodes.length &&
          ranges.every((of) => of.length === SHARDS && of.every(({ ports }) => ports.length === 2)) &&
          states.every((state) => `${state}`.includes('cluster_state:ok')) &&
          links.every((link) => /role:master|master_link_status:up/.test(`${link}`))
        );
      },
      PATIENCE_MS,
    );
  await whole();
  const [first, ...others] = nodes.map(({ port }) => `127.0.0.1:${port}`);
  return {
    url: `redis+cluster://${first}?${others.map((address) => `addr=${address}`).join('&')}`,
    nodes,
    ownerOf: (namespace) => settled(namespace, 0),
    replicaOf: (namespace) => settled(namespace, 1),
    movedFrom: (before, namespace) => settled(namespace, 0, ({ port }) => port !== before.port),
    moveSlot: async (namespace, first = [], midway = async () => undefined) => {
      const owner = await settled(namespace, 0);
      const slot = `${await command(owner, 'CLUSTER', 'KEYSLOT', `{${namespace}}:`)}`;
      const ports = new Set((await slotsOf(owner)).map(({ ports: [primary] }) => primary));
      const primaries = nodes.filter(({ port }) => ports.has(port));
      const target = primaries.find(({ port }) => port !== owner.port) as RedisServer;
      const idOf = async (node: RedisServer) => `${await command(node, 'CLUSTER', 'MYID')}`;
      const to = await idOf(target);
      await command(target, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(owner));
      await command(owner, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', to);
      const migrate = (keys: readonly string[]) =>
        command(owner, 'MIGRATE', '127.0.0.1', `${target.port}`, '', '0', '5000', 'KEYS', ...keys);
      if (first.length > 0) await migrate(first);
      await midway();
      for (;;) {
        const keys = (await command(owner, 'CLUSTER', 'GETKEYSINSLOT', slot, '1000')) as string[];
        if (keys.length === 0) break;
        for (const key of keys) await migrate([key]);
      }
      for (const node of new Set([target, ...primaries]))
        await command(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', to);
      await settled(namespace, 0, ({ port }) => port === target.port);
    },
    whole: async () => void (await whole()),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** One command to a node, by a connection of its own. */
export async function command(node: RedisServer, ...[name = '', ...args]: string[]): Promise<unknown> {
  const redis = new Redis({
    port: node.port,
    lazyConnect: true,
    commandTimeout: 1_000,
    retryStrategy: () => null,
    enableReadyCheck: false,
  });
  redis.on('error', () => undefined); // the call fails, and says why
  try {
    await redis.connect();
    return await redis.call(name, ...args);
  } finally {
    redis.disconnect();
  }
}

/** `bus` is the port by which nodes speak to each other. */
async function startNode(): Promise<{ node: RedisServer; bus: number }> {
  const bus = await freePort();
  const node = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', `${bus}`],
      ...['--cluster-node-timeout', `${NODE_TIMEOUT_MS}`],
      ...['--repl-diskless-sync-delay', '0', '--repl-backlog-size', '1mb'],
    ],
  });
  return { node, bus };
}

async function anyOf(nodes: readonly RedisServer[]): Promise<RedisServer> {
  for (const node of nodes) if ((await command(node, 'PING').catch(() => undefined)) === 'PONG') return node;
  throw new Error('no node of the Cluster runs');
}

async function slotsOf(node: RedisServer) {
  const ranges = (await command(node, 'CLUSTER', 'SLOTS')) as [number, number, ...[string, number][]][];
  return ranges.map(([first, last, ...nodes]) => ({ first, last, ports: nodes.map(([, port]) => port) }));
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no ${index}`);
  return item;
}
