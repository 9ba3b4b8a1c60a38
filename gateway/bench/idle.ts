// 10,000 viewers of quiet channels: memory, file descriptors and Redis connections for each, and after all have left.

import { eventually } from '../../test-support/process.ts';
import { RedisProbe } from './redis-probe.ts';
import { filesOf, healthOf, memoryOf, openStage, table } from './stage.ts';
import { BenchViewers } from './viewers.ts';

const VIEWERS = 9_000; // the load client's own sockets count against the same limit of open files
const CHANNELS = 100;

export async function idle(): Promise<void> {
  const stage = await openStage();
  const redis = new RedisProbe(stage.redis.url);
  const { pid } = stage.gateway;
  const row = async (when: string, seconds: number | string) => ({
    when,
    viewers: (await healthOf(stage.port)).connections ?? 0,
    views: (await healthOf(stage.port)).views ?? 0,
    'gateway MB': (memoryOf(pid) / 1_048_576).toFixed(1),
    files: filesOf(pid),
    'Redis connections of gateway and bench': await redis.connections(),
    s: seconds,
  });
  const rows = [await row('before', '')];
  const base = memoryOf(pid);
  const groups = Array.from({ length: CHANNELS }, (_, i) => {
    const path = `/stream?channels=idle:${i}`;
    return new BenchViewers({ port: stage.port, path, count: VIEWERS / CHANNELS });
  });
  try {
    const began = Date.now();
    await Promise.all(groups.map((group) => group.open(4)));
    const seconds = ((Date.now() - began) / 1_000).toFixed(2);
    await eventually('all connected', async () => (await healthOf(stage.port)).connections === VIEWERS);
    rows.push(await row('connected', seconds));
    const perViewer = (memoryOf(pid) - base) / VIEWERS / 1_024;
    for (const group of groups) group.close();
    await eventually('all gone', async () => {
      const health = await healthOf(stage.port);
      return health.connections === 0 && health.views === 0;
    });
    await eventually('unsubscribed', async () => (await redis.subscribed('*idle*')) === 0);
    rows.push(await row('all left', ''));
    table(rows);
    console.log(`\n${perViewer.toFixed(1)} kB of gateway memory (PSS) per idle viewer`);
  } finally {
    for (const group of groups) group.close();
    redis.close();
    await stage.stop();
  }
}
