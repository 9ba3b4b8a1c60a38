// The faults of a primary behind Sentinels, each a function that does it to a fleet while writers write, and viewers drop and resume.

import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../../../test-support/process.ts';
import type { RedisServer } from '../../../../test-support/redis.ts';
import { command } from '../../../../test-support/redis-cluster.ts';
import { ask, MASTER, type SentinelGroup } from '../../../../test-support/redis-sentinel.ts';
import type { Fleet } from './fleet.ts';

export interface SentinelStage {
  fleet: Fleet;
  group: SentinelGroup;
  /** Entries that are written between two steps. */
  pace: number;
}

/** The primary is to have written so long without its replicas. */
const APART_MS = 900;
const FROZEN_MS = 20_000;

export const SENTINEL_FAULTS: Record<string, (stage: SentinelStage) => Promise<void>> = {
  none: async ({ fleet, pace }) => {
    await fleet.more(pace);
  },
  'primary killed': async ({ fleet, group, pace }) => {
    const primary = await group.primary();
    await fleet.more(pace);
    await primary.kill();
    await group.movedFrom(primary);
    await fleet.more(pace);
    await primary.restart();
    await fleet.more(pace);
  },
  'primary frozen for 20 s, then thawed': async ({ fleet, group, pace }) => {
    const primary = await group.primary();
    await fleet.more(pace);
    primary.pause();
    await pause(FROZEN_MS);
    primary.resume();
    await isReplica(primary);
    await fleet.more(pace);
  },
  'failover asked for while the primary lives': async ({ fleet, group, pace }) => {
    const primary = await group.primary();
    await fleet.more(pace);
    await ask(group.sentinels[0]?.port ?? 0, 'failover', MASTER);
    await group.movedFrom(primary);
    await isReplica(primary);
    await fleet.more(pace);
  },
  'primary told to FAILOVER TO a replica': async ({ fleet, group, pace }) => {
    const primary = await group.primary();
    const heir = group.servers.find(({ port }) => port !== primary.port) as RedisServer;
    await fleet.more(pace);
    await command(primary, 'FAILOVER', 'TO', '127.0.0.1', `${heir.port}`, 'TIMEOUT', '5000');
    await fleet.more(pace);
    await eventually(
      'Sentinels and servers agree',
      async () => (await roleOf(await group.primary())) === 'master',
      90_000,
    );
    await fleet.more(pace);
  },
  'two of three Sentinels dead': async ({ fleet, group, pace }) => {
    const [one, two] = group.sentinels;
    await one?.kill();
    await two?.kill();
    await fleet.more(pace);
    await one?.start();
    await two?.start();
    await fleet.more(pace);
  },
  'all Sentinels dead, then back, and the primary killed': async ({ fleet, group, pace }) => {
    for (const sentinel of group.sentinels) await sentinel.kill();
    await fleet.more(pace);
    for (const sentinel of group.sentinels) await sentinel.start();
    const primary = await group.primary();
    await primary.kill();
    await group.movedFrom(primary);
    await fleet.more(pace);
  },
  'primary killed while its replicas lack entries': async ({ fleet, group, pace }) => {
    const primary = await group.primary();
    const replicas = group.servers.filter(({ port }) => port !== primary.port);
    await fleet.more(pace);
    for (const replica of replicas) replica.pause();
    await command(primary, 'CLIENT', 'KILL', 'TYPE', 'replica');
    await pause(APART_MS);
    await primary.kill();
    for (const replica of replicas) replica.resume();
    await group.movedFrom(primary);
    await fleet.more(pace);
  },
};

async function roleOf(server: RedisServer): Promise<unknown> {
  return ((await command(server, 'ROLE')) as [string])[0];
}

async function isReplica(server: RedisServer): Promise<void> {
  await eventually('it is a replica', async () => (await roleOf(server)) === 'slave', 60_000);
}
