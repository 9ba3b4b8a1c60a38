// Starts the probe, fed through the log as the gateway is.

import { startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { httpGet, logPublish, type StartTarget } from './target.ts';

export const startProbe: StartTarget = async (redis) => {
  const port = await freePort();
  const server = startProcess(['gateway/bench/targets/redis-probe-server.ts', `${port}`, redis.url]);
  await server.saw('ready');
  return {
    port,
    pids: [server.pid],
    request: ({ channel }) => httpGet(`/?channel=${channel}`),
    publish: logPublish,
    stop: async () => void (await server.stop('SIGKILL')),
  };
};
