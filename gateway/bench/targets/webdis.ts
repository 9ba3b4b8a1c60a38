// Webdis, Redis commands over HTTP: each subscriber has a chunked response and a Redis connection.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { healthy, startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { findProgram } from './installed.ts';
import { barePublish, httpGet, type StartTarget } from './target.ts';

export const startWebdis: StartTarget = async (redis) => {
  const webdis = findProgram('webdis');
  if (!webdis) return;
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-webdis-'));
  const configuration = {
    redis_host: '127.0.0.1',
    redis_port: redis.port,
    http_host: '127.0.0.1',
    http_port: port,
    threads: 1,
    daemonize: false,
    verbosity: 0,
    logfile: join(dir, 'log'),
    database: 0,
    pool_size: 1,
  };
  await writeFile(join(dir, 'webdis.json'), JSON.stringify(configuration));
  const server = startProcess([join(dir, 'webdis.json')], { command: webdis });
  await healthy(`http://127.0.0.1:${port}/PING`);
  return {
    port,
    pids: [server.pid],
    request: ({ channel }) => httpGet(`/SUBSCRIBE/${channel}`),
    publish: barePublish(redis),
    stop: async () => {
      await server.stop('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
};
