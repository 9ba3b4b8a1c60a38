// Starts the classical design.

import { startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { barePublish, httpGet, type StartTarget } from './target.ts';

export const startClassical: StartTarget = async (redis) => {
  const port = await freePort();
  const server = startProcess(['gateway/bench/targets/redis-classical-server.ts', `${port}`, redis.url]);
  await server.saw('ready');
  return {
    port,
    pids: [server.pid],
    request: ({ channel }) => httpGet(`/?channel=${channel}`),
    publish: barePublish(redis),
    stop: async () => void (await server.stop('SIGKILL')),
  };
};
