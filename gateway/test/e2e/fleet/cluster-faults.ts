// The faults of a Redis Cluster, each a function that does it to a fleet while writers write, and viewers drop and resume.

import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../../../test-support/process.ts';
import type { RedisServer } from '../../../../test-support/redis.ts';
import { command, type RedisCluster } from '../../../../test-support/redis-cluster.ts';
import type { Fleet } from './fleet.ts';

export interface ClusterStage {
  fleet: Fleet;
  cluster: RedisCluster;
  /** Entries that are written between two steps. */
  pace: number;
}

/** The primary is to have written so long without its replica. */
const APART_MS = 900;
const FROZEN_MS = 15_000;

export const CLUSTER_FAULTS: Record<string, (stage: ClusterStage) => Promise<void>> = {
  none: async ({ fleet, pace }) => {
    await fleet.more(pace);
  },
  'slot owner killed': async ({ fleet, cluster, pace }) => {
    const owner = await cluster.ownerOf(fleet.namespace);
    await fleet.more(pace);
    await owner.kill();
    await cluster.movedFrom(owner, fleet.namespace);
    await fleet.more(pace);
    await owner.restart();
    await fleet.more(pace);
  },
  'slot owner killed while its replica lacks entries': async ({ fleet, cluster, pace }) => {
    const [owner, replica] = [
      await cluster.ownerOf(fleet.namespace),
      await cluster.replicaOf(fleet.namespace),
    ];
    await fleet.more(pace);
    replica.pause();
    await command(owner, 'CLIENT', 'KILL', 'TYPE', 'replica');
    await pause(APART_MS);
    await owner.kill();
    replica.resume();
    await cluster.movedFrom(owner, fleet.namespace);
    await fleet.more(pace);
  },
  'slot owner frozen for 15 s': async ({ fleet, cluster, pace }) => {
    const owner = await cluster.ownerOf(fleet.namespace);
    await fleet.more(pace);
    owner.pause();
    await pause(FROZEN_MS);
    owner.resume();
    await eventually('it is a replica', async () => (await roleOf(owner)) === 'slave', 60_000);
    await fleet.more(pace);
  },
  'slot owner hands over': async ({ fleet, cluster, pace }) => {
    for (let i = 0; i < 2; i++) {
      await fleet.more(pace);
      const owner = await cluster.ownerOf(fleet.namespace);
      await command(await cluster.replicaOf(fleet.namespace), 'CLUSTER', 'FAILOVER');
      await cluster.movedFrom(owner, fleet.namespace);
      await cluster.whole();
    }
    await fleet.more(pace);
  },
  'slot moved to another shard': async ({ fleet, cluster, pace }) => {
    await fleet.more(pace);
    await cluster.moveSlot(fleet.namespace);
    await fleet.more(pace);
  },
};

async function roleOf(node: RedisServer): Promise<unknown> {
  return ((await command(node, 'ROLE')) as [string])[0];
}
