// Starts the servers of the benchmark's own that the gateway is compared with: the classical design, and the probe.

import { startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer } from '../../../test-support/redis.ts';
import { barePublish, httpGet, logPublish, type StartTarget, type Target } from './target.ts';

export const startClassical: StartTarget = (redis) =>
  start('redis-classical-server.ts', redis, barePublish(redis));

/** The classical design, fed through the same log as the gateway. */
export const startClassicalLog: StartTarget = (redis) =>
  start('redis-classical-server.ts', redis, logPublish);

/** Fed through the log, as the gateway is. */
export const startProbe: StartTarget = (redis) => start('redis-probe-server.ts', redis, logPublish);

async function start(file: string, redis: RedisServer, publish: Target['publish']): Promise<Target> {
  const port = await freePort();
  const server = startProcess([`gateway/bench/targets/${file}`, `${port}`, redis.url]);
  await server.saw('ready');
  return {
    port,
    pids: [server.pid],
    request: ({ channel }) => httpGet(`/?channel=${channel}`),
    publish,
    stop: async () => void (await server.stop('SIGKILL')),
  };
}
