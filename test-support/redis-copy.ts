// A copy of all keys of a namespace, by which a log goes back as a failover or a restore makes it: to an older state, under another process.

import type { Redis } from 'ioredis';

/** A copy of the log as it is now. `restore` has it take the log's place, on what seems to be another server. */
export async function copyOf(redis: Redis, namespace: string): Promise<{ restore(): Promise<void> }> {
  const names = await redis.keys(`{${namespace}}:*`);
  const values = await Promise.all(names.map((name) => redis.dumpBuffer(name)));
  return {
    restore: async () => {
      const step = redis.multi();
      step.del(...(await redis.keys(`{${namespace}}:*`)), 'none');
      for (const [i, name] of names.entries()) step.restore(name, 0, values[i] as Buffer);
      step.hset(`{${namespace}}:log`, 'run', 'another');
      await step.exec();
    },
  };
}
