// The product's gateway, as its own process, fed through the log or by bare PUBLISHes that are not adopted.

import { eventually, healthy, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer } from '../../../test-support/redis.ts';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { childrenOf } from '../process-figures.ts';
import { barePublish, httpGet, logPublish, type Target } from './target.ts';

export const startGateway = (redis: RedisServer) => start(redis);

export const startWorkers = (redis: RedisServer) => start(redis, { workers: 2 });

/** In the default namespace a channel is the Redis channel of its name, so bare commands reach it. */
export const startBareGateway = (redis: RedisServer) => start(redis, { bare: true });

async function start(redis: RedisServer, { bare = false, workers = 1 } = {}): Promise<Target> {
  const port = await freePort();
  const gateway = startProcess([...NODE_FLAGS, 'gateway/src/main.ts'], {
    env: {
      REDIS_URL: redis.url,
      PORT: `${port}`,
      LOG_LEVEL: 'warn',
      ADOPT_CHANNELS: 'none',
      MAX_CONNECTIONS: '0',
      WORKERS: `${workers}`,
      SSE_KEEPALIVE_MS: '600000', // no ping while bytes are compared
    },
  });
  await healthy(`http://127.0.0.1:${port}/readyz`);
  const names = new Set<string>();
  await eventually('every worker', async () => names.add(await nameOf(port)).size === workers);
  return {
    port,
    pids: workers > 1 ? [gateway.pid, ...childrenOf(gateway.pid)] : [gateway.pid],
    request: ({ channel, source }, { gzip, bySource, lastEventId } = {}) =>
      httpGet(`/stream?channels=${channel}${bySource ? `&source=${source}` : ''}`, [
        ...(gzip ? ['accept-encoding: gzip'] : []),
        ...(lastEventId === undefined ? [] : [`last-event-id: ${lastEventId}`]),
      ]),
    publish: bare ? barePublish(redis) : logPublish,
    stop: async () => {
      const { stderr } = gateway;
      await gateway.stop('SIGTERM');
      if (stderr !== '') console.error(`the gateway said: ${stderr.slice(0, 2_000)}`);
    },
  };
}

/** Each new connection goes to the next worker, and the health of a worker names it. */
async function nameOf(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/sse/health`, { headers: { connection: 'close' } });
  return ((await response.json()) as { gateway: string }).gateway;
}
