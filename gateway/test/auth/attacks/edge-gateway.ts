// For the attacks on who may read and write what: a gateway on the embedded log or on Redis, people with different grants, and requests
// as one of them. It is closed after each test of the file that imports this.
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import type { SseClient } from '../../../../test-support/sse-client.ts';
import { ALL_GRANTS } from '../../../src/auth/principal.ts';
import { bearer, People, person } from '../people.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

export const people = new People(
  person('all', { read: ['*'], publish: ['*'], run: true, metrics: true }),
  person('more', { read: ['*'] }),
  person('logs', { read: ['logs*'] }),
  person('same', { read: ['logs*'] }),
  person('team', { read: ['team:*'], publish: ['team:*'], run: true }),
  person('searching', { read: Array.from({ length: 50 }, (_, i) => `*a*b${i}`) }),
  person('ci', { publish: ['logs:ci*'] }, { source: 'ci-*' }),
  person('exact', { publish: ['*'] }, { source: 'ci-1' }),
  person('admin', ALL_GRANTS),
  person('old', { read: ['*'] }, { expires: Date.now() - 1 }),
);

export const LOGS = ['embedded', 'Redis'] as const;
const viewers: SseClient[] = [];
/** The one of the test that runs. */
export let gateway: TestGateway;

export const start = async (log: (typeof LOGS)[number], env: Record<string, string> = {}) => {
  const store = log === 'Redis' ? { REDIS_URL: redis.url, NAMESPACE: randomNamespace() } : {};
  gateway = await openGateway(
    { AUTH: 'on', RATE_LIMIT_BURST: '2', ...store, ...env },
    { credentials: people.credentials },
  );
};
afterEach(async () => {
  people.away = false;
  for (const viewer of viewers.splice(0)) viewer.vanish();
  await gateway.close();
});

export const get = (path: string, name?: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}${path}`, {
    redirect: 'manual',
    headers: { ...(name !== undefined && bearer(name)), ...headers },
  });
export const codeOf = async (answer: Response) => {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const { code } = (await answer.json()) as { code: string };
  return `${answer.status} ${code}`;
};
export const publish = (name: string, body: unknown, query = '', headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/api/publish${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(name), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
export const view = async (name: string, query: string, headers: Record<string, string> = {}) => {
  const viewer = await gateway.view(query, { headers: { ...bearer(name), ...headers } });
  viewers.push(viewer);
  return viewer;
};
export const channelsOf = (viewer: SseClient) => viewer.saw('hello').then(({ data }) => data.channels);
export const historyOf = async (channels: string, name = 'admin') => {
  const answer = await get(`/api/entries?channels=${channels}`, name);
  const { entries } = (await answer.json()) as {
    entries: { msg: string; source: string; channel: string }[];
  };
  return entries.filter(({ channel }) => channel !== 'logs:gateway');
};
/** Sends raw bytes, and gives the first line of the answer. */
export const raw = (text: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text));
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n')[0] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
