// The product's gateway, as its own process, fed through the log or by bare PUBLISHes that are not adopted.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_NAMESPACE } from '@llm-streamer/shared/broker/redis/keys.ts';
import { eventually, healthy, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer } from '../../../test-support/redis.ts';
import { newApiKey } from '../../src/auth/credentials/api-keys.ts';
import { grantsFrom } from '../../src/auth/principal.ts';
import { RedisAuthStore } from '../../src/auth/store/redis-auth-store.ts';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { childrenOf } from '../process-figures.ts';
import { barePublish, httpGet, logPublish, type Target } from './target.ts';

const PROGRAMS = 100;
const EXAMPLE = new URL('../../rules.example.json', import.meta.url);

export const startGateway = (redis: RedisServer) => start(redis);

/** Each viewer shows the API key of one of a hundred programs, all of which may read the same channels. */
export const startWithAuth = (redis: RedisServer) => start(redis, { auth: true });

export const startWorkers = (redis: RedisServer) => start(redis, { workers: 2 });

/** In the default namespace a channel is the Redis channel of its name, so bare commands reach it. */
export const startBareGateway = (redis: RedisServer) => start(redis, { bare: true });

/** The rules of the example, for the channels of the bench. */
export const startWithExampleRules = (redis: RedisServer) =>
  start(redis, { rules: readFileSync(EXAMPLE, 'utf8').replaceAll(/"logs[*:\w]*"/g, '"bench*"') });

/** A thousand rules, none of which an entry of the bench meets; all have to be asked. */
export const startWithManyRules = (redis: RedisServer) => start(redis, { rules: manyRules() });

/** A rule that makes an event of every entry, and an alert that counts every one. */
export const startWithMatchAll = (redis: RedisServer) => start(redis, { rules: matchAll() });

async function start(
  redis: RedisServer,
  { auth = false, bare = false, workers = 1, rules = '' } = {},
): Promise<Target> {
  const port = await freePort();
  const keys = auth ? await addKeys(redis) : [];
  let requests = 0;
  const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-bench-'));
  const file = join(folder, 'rules.json');
  await writeFile(file, rules);
  const gateway = startProcess([...NODE_FLAGS, 'gateway/src/main.ts'], {
    env: {
      REDIS_URL: redis.url,
      PORT: `${port}`,
      LOG_LEVEL: 'warn',
      ADOPT_CHANNELS: 'none',
      ...(auth && { AUTH: 'on' }),
      ...(rules !== '' && { RULES_FILE: file }),
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
    credentials: Math.max(1, keys.length),
    pids: workers > 1 ? [gateway.pid, ...childrenOf(gateway.pid)] : [gateway.pid],
    request: ({ channel, source }, { gzip, bySource, lastEventId } = {}) =>
      httpGet(`/stream?channels=${channel}${bySource ? `&source=${source}` : ''}`, [
        ...(auth ? [`authorization: Bearer ${keys[requests++ % keys.length]}`] : []),
        ...(gzip ? ['accept-encoding: gzip'] : []),
        ...(lastEventId === undefined ? [] : [`last-event-id: ${lastEventId}`]),
      ]),
    publish: bare ? barePublish(redis) : logPublish,
    stop: async () => {
      const { stderr } = gateway;
      await gateway.stop('SIGTERM');
      await rm(folder, { recursive: true });
      if (stderr !== '') console.error(`the gateway said: ${stderr.slice(0, 2_000)}`);
    },
  };
}

function manyRules(): string {
  const rules = Array.from({ length: 1_000 }, (_, i) => ({
    name: `rule-${i}`,
    channels: ['bench*'],
    match: `subsystem${i} (?P<what>\\w+) failed`,
    emit: { channel: 'events:bench', event: 'bench.failed' },
  }));
  return JSON.stringify({ rules });
}

function matchAll(): string {
  const all = { channels: ['bench*'], match: '.' };
  const emit = { channel: 'events:bench', event: 'bench.seen' };
  const alert = { when: 'count', bound: 1_000_000, within: '1h', by: ['source'] };
  return JSON.stringify({
    rules: [
      { name: 'every-event', ...all, emit },
      { name: 'every-count', ...all, alert },
    ],
  });
}

/** What `npm run keys -- add` does, without a process for each. */
async function addKeys(redis: RedisServer): Promise<string[]> {
  const store = RedisAuthStore.at(redis.url, DEFAULT_NAMESPACE);
  const grants = grantsFrom({ read: ['bench*', 'idle*'] });
  try {
    return await Promise.all(
      Array.from({ length: PROGRAMS }, async (_, i) => {
        const { key, record } = newApiKey({ name: `viewer ${i}`, grants });
        await store.addKey(record);
        return key;
      }),
    );
  } finally {
    await store.close();
  }
}

/** Each new connection goes to the next worker, and the health of a worker names it. */
async function nameOf(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/sse/health`, { headers: { connection: 'close' } });
  return ((await response.json()) as { gateway: string }).gateway;
}
