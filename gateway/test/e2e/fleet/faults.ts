// The faults, each a function that does it to a fleet while writers write, and viewers drop and resume.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../../test-support/redis.ts';
import type { Fleet } from './fleet.ts';

/** The parts that a fault may act on, and how many entries are written before and after it. */
export interface Stage {
  fleet: Fleet;
  redis: RedisServer;
  /** Entries that are written between two steps. */
  pace: number;
}

export type Fault = (stage: Stage) => Promise<void>;

export const FAULTS: Record<string, Fault> = {
  none: async ({ fleet, pace }) => {
    await fleet.more(pace);
  },
  'redis killed and restarted': async ({ fleet, redis, pace }) => {
    await fleet.more(pace);
    await redis.kill('SIGKILL');
    await fleet.more(pace);
    await redis.restart();
    await fleet.more(pace);
  },
  'redis paused for 20 s': async ({ fleet, redis, pace }) => {
    await fleet.more(pace);
    redis.pause();
    await seconds(20);
    redis.resume();
    await fleet.more(pace);
  },
  'all connections to redis cut': async ({ fleet, redis, pace }) => {
    const admin = new Redis(redis.url);
    for (let i = 0; i < 3; i++) {
      await fleet.more(pace);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    await fleet.more(pace);
    admin.disconnect();
  },
  'subscriber dropped at its output limit': async ({ fleet, redis, pace }) => {
    const admin = new Redis(redis.url);
    await fleet.more(pace);
    await admin.config('SET', 'client-output-buffer-limit', 'pubsub 65536 0 0');
    for (const { pid } of fleet.gateways) if (pid !== undefined) process.kill(pid, 'SIGSTOP');
    // The kernel buffers more than Redis's limit, so its buffers have to fill before Redis buffers anything.
    for (const writer of fleet.writers)
      writer.write(Math.ceil(20_000_000 / 8_000 / fleet.writers.length), 8_000);
    await Promise.all(fleet.writers.map(({ publisher }) => publisher.flush()));
    for (const { pid } of fleet.gateways) if (pid !== undefined) process.kill(pid, 'SIGCONT');
    await fleet.more(pace);
    await admin.config('SET', 'client-output-buffer-limit', 'pubsub 33554432 8388608 60');
    admin.disconnect();
  },
  'log full, then room again': async ({ fleet, redis, pace }) => {
    const admin = new Redis(redis.url);
    await fleet.more(pace);
    await admin.config('SET', 'maxmemory', '1');
    await fleet.more(pace);
    await admin.config('SET', 'maxmemory', '0');
    await fleet.more(pace);
    admin.disconnect();
  },
  'gateway killed': async ({ fleet, pace }) => {
    for (const gateway of fleet.gateways) {
      await fleet.more(pace);
      await gateway.stop('SIGKILL');
      await fleet.more(pace);
      await gateway.start();
    }
    await fleet.more(pace);
  },
  'rolling restart of both gateways': async ({ fleet, pace }) => {
    for (const gateway of fleet.gateways) {
      await fleet.more(pace);
      await gateway.stop('SIGTERM');
      await gateway.start();
    }
    await fleet.more(pace);
  },
};

/** Waits for a time, because the fault itself lasts for a time. */
function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1_000));
}

/** One address for two servers: first it leads to a master, and then to the replica that is promoted. */
export class FailoverProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(target: number): Promise<FailoverProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FailoverProxy(server, target);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Sends new connections to another server and cuts the old ones. */
  switchTo(port: number): void {
    this.#target = port;
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const upstream = connect(this.#target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

/**
 * A lagging replica is promoted, and the address leads to it: the log goes back. Every viewer has received more than the replica
 * has, and half of the viewers are away while the master stores entries that it will lose.
 */
export async function promoteLaggingReplica(
  { fleet, redis, pace }: Stage,
  proxy: FailoverProxy,
): Promise<RedisServer> {
  const replica = await startRedis({ args: ['--appendonly', 'yes'] });
  const [master, copy] = [new Redis(redis.url), new Redis(replica.url)];
  const newest = async (server: Redis) => Number(await server.hget(`{${fleet.namespace}}:log`, 'n'));
  await copy.call('REPLICAOF', '127.0.0.1', `${redis.port}`);
  await eventually('replica in sync', async () =>
    /master_link_status:up/.test(await copy.info('replication')),
  );
  await fleet.more(pace);
  // The link breaks, and the master goes on. The replica never gets the entries that the master stores now.
  await copy.call('REPLICAOF', '127.0.0.1', '1');
  const restored = await newest(copy);
  await eventually('every viewer beyond the replica', () =>
    fleet.viewers.every(({ cursor }) => cursor > restored),
  );
  const away = fleet.viewers.filter((_, i) => i % 2 === 0);
  for (const viewer of away) viewer.leave();
  await fleet.more(pace);
  await fleet.settled();
  await copy.call('REPLICAOF', 'NO', 'ONE');
  proxy.switchTo(replica.port);
  for (const viewer of away) viewer.comeBack();
  await fleet.more(pace);
  master.disconnect();
  copy.disconnect();
  return replica;
}
