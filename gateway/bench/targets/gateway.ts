// The product's gateway, as its own process, fed through the log or by bare PUBLISHes that nobody adopts.

import { healthy, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer } from '../../../test-support/redis.ts';
import { childrenOf } from '../process-figures.ts';
import { barePublish, httpGet, type Target } from './target.ts';

export const startGateway = (redis: RedisServer) => start(redis);

export const startWorkers = (redis: RedisServer) => start(redis, { workers: 2 });

/** In the default namespace a channel is the Redis channel of its name, so bare commands reach it. */
export const startBareGateway = (redis: RedisServer) => start(redis, { bare: true });

async function start(redis: RedisServer, { bare = false, workers = 1 } = {}): Promise<Target> {
  const port = await freePort();
  const gateway = startProcess(['--max-semi-space-size=4', 'gateway/src/main.ts'], {
    env: {
      REDIS_URL: redis.url,
      PORT: `${port}`,
      LOG_LEVEL: 'warn',
      ADOPT_CHANNELS: 'none',
      MAX_CONNECTIONS: '0',
      WORKERS: `${workers}`,
      SSE_KEEPALIVE: '600000', // no ping while bytes are compared
    },
  });
  await healthy(`http://127.0.0.1:${port}/readyz`);
  return {
    port,
    pids: [gateway.pid, ...childrenOf(gateway.pid)],
    request: ({ channel, source }, { gzip, bySource, lastEventId } = {}) =>
      httpGet(`/stream?channels=${channel}${bySource ? `&source=${source}` : ''}`, [
        ...(gzip ? ['accept-encoding: gzip'] : []),
        ...(lastEventId === undefined ? [] : [`last-event-id: ${lastEventId}`]),
      ]),
    publish: bare ? barePublish(redis) : { form: 'log', port: 0, connections: 1, maxUnderWay: 0 },
    stop: async () => {
      const { stderr } = gateway;
      await gateway.stop('SIGTERM');
      if (stderr !== '') console.error(`the gateway said: ${stderr.slice(0, 2_000)}`);
    },
  };
}
