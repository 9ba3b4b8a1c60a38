// A primary with replicas, and the Sentinels that watch them: real processes on free ports. Sentinels rewrite their configuration, so
// that each has a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './process.ts';
import { freePort, type RedisServer, startRedis } from './redis.ts';
import type { TestCertificate } from './redis-tls.ts';

export const MASTER = 'log';
/** After this long without an answer a server is down for a Sentinel. */
const DOWN_MS = 1_000;
const PATIENCE_MS = 30_000;

export interface SentinelGroup {
  readonly url: string;
  /** All servers; which of them is the primary changes. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly SentinelProcess[];
  primary(): Promise<RedisServer>;
  /** Resolves when the Sentinels name another server than `before`. */
  movedFrom(before: RedisServer): Promise<RedisServer>;
  stop(): Promise<void>;
}

export interface SentinelProcess {
  readonly port: number;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** With a certificate, servers speak TLS and nothing else, and `url` leads to Sentinels that do. */
export async function startSentinelGroup({
  replicas = 1,
  sentinels = 3,
  certificate,
}: {
  replicas?: number;
  sentinels?: number;
  certificate?: TestCertificate;
} = {}): Promise<SentinelGroup> {
  const first = await startServer([], certificate);
  const servers = [first];
  for (let i = 0; i < replicas; i++)
    servers.push(await startServer(['--replicaof', '127.0.0.1', `${first.port}`], certificate));
  const watchers: Sentinel[] = [];
  for (let i = 0; i < sentinels; i++) {
    const watcher = await Sentinel.make(first.port, Math.floor(sentinels / 2) + 1, certificate);
    watchers.push(watcher);
    await watcher.start();
  }
  const addresses = watchers.map(({ port, tlsPort }) => `127.0.0.1:${tlsPort ?? port}`);
  const [one = '', ...others] = addresses;
  const more = others.map((address) => `&addr=${address}`).join('');
  const group: SentinelGroup = {
    url: `${certificate === undefined ? 'redis' : 'rediss'}+sentinel://${one}?sentinel_master_name=${MASTER}${more}`,
    servers,
    sentinels: watchers,
    primary: async () => {
      for (const { port } of watchers.filter(({ runs }) => runs)) {
        const [, named] = (await ask(port, 'get-master-addr-by-name', MASTER)) as [string, string];
        const found = servers.find((server) => `${server.port}` === named);
        if (found !== undefined) return found;
      }
      throw new Error('no Sentinel names a server of the group');
    },
    movedFrom: async (before) => {
      await eventually('a failover', async () => (await group.primary()).port !== before.port, PATIENCE_MS);
      return group.primary();
    },
    stop: async () => {
      await Promise.all(watchers.map((watcher) => watcher.stop()));
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
  await eventually('all know each other', () => knowEachOther(watchers, replicas), PATIENCE_MS);
  return group;
}

async function startServer(
  args: readonly string[],
  certificate: TestCertificate | undefined,
): Promise<RedisServer> {
  const all = ['--repl-diskless-sync-delay', '0', '--repl-backlog-size', '1mb', ...args];
  if (certificate === undefined) return startRedis({ args: all });
  const port = await freePort();
  const tls = certificate.config.flatMap(([name, value]) => [`--${name}`, value]);
  return startRedis({ port, args: [...all, '--port', '0', '--tls-port', `${port}`, ...tls] });
}

async function knowEachOther(watchers: readonly Sentinel[], replicas: number): Promise<boolean> {
  for (const { port } of watchers) {
    const [flat] = (await ask(port, 'masters')) as [string[]];
    const field = (name: string) => flat?.[flat.indexOf(name) + 1];
    if (field('num-slaves') !== `${replicas}` || field('num-other-sentinels') !== `${watchers.length - 1}`)
      return false;
  }
  return true;
}

class Sentinel implements SentinelProcess {
  readonly port: number;
  /** Where it speaks TLS, if it does. */
  readonly tlsPort: number | undefined;
  readonly #dir: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, tlsPort: number | undefined, dir: string) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.#dir = dir;
  }

  static async make(primary: number, quorum: number, certificate?: TestCertificate): Promise<Sentinel> {
    const port = await freePort();
    const tlsPort = certificate && (await freePort());
    const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-sentinel-'));
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      ...(tlsPort === undefined ? [] : [`tls-port ${tlsPort}`]),
      ...(certificate?.config.map(([name, value]) => `${name} ${value}`) ?? []),
      `sentinel monitor ${MASTER} 127.0.0.1 ${primary} ${quorum}`,
      `sentinel down-after-milliseconds ${MASTER} ${DOWN_MS}`,
      `sentinel failover-timeout ${MASTER} 5000`,
    ];
    await writeFile(join(dir, 'sentinel.conf'), `${lines.join('\n')}\n`);
    return new Sentinel(port, tlsPort, dir);
  }

  get runs(): boolean {
    return this.#process !== undefined;
  }

  async start(): Promise<void> {
    const child = spawn('redis-server', [join(this.#dir, 'sentinel.conf'), '--sentinel'], {
      stdio: 'ignore',
    });
    this.#process = child;
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    await eventually('the Sentinel answers', async () => {
      await ask(this.port, 'myid');
      return true;
    });
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** One command to a Sentinel, by a connection of its own. */
export async function ask(port: number, ...command: string[]): Promise<unknown> {
  const redis = new Redis({ port, lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false });
  redis.on('error', () => undefined); // the call fails, and says why
  try {
    await redis.connect();
    return await redis.call('SENTINEL', ...command);
  } finally {
    redis.disconnect();
  }
}
