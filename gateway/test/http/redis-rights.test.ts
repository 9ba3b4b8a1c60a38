// If Redis lets the gateway listen to some channels only, or may evict keys, each kind of client gets a stable code in a form that it
// can handle.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';
import { stored } from '../otlp/requests.ts';

let server: RedisServer;
let redis: Redis;
let gateway: TestGateway;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  const channels = ['&{llm}:#*', '&{llm}:=logs*', '&logs*', '&{llm}:=events:runs', '&events:runs'];
  await redis.call('ACL', 'SETUSER', 'some', 'on', '>pass', '~*', '+@all', 'resetchannels', ...channels);
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  gateway = await openGateway({ REDIS_URL: server.url.replace('redis://', 'redis://some:pass@') });
});

afterAll(async () => {
  await gateway.close();
  redis.disconnect();
  await server.stop();
});

describe('a pattern that Redis refuses', () => {
  it.each(['*', 'events*', 'logs:*'])(
    '%s is a problem for fetch, and a bye for an EventSource',
    async (pattern) => {
      const url = `${gateway.url}/stream?channels=${pattern}`;
      const problem = await fetch(url);
      expect(problem.status).toBe(403);
      expect(await problem.json()).toMatchObject({
        code: 'channels_forbidden',
        detail: expect.stringContaining(pattern),
      });
      const stream = await fetch(url, { headers: { accept: 'text/event-stream' } });
      expect(stream.status).toBe(200);
      const text = await stream.text();
      expect(text).toMatch(/^retry: \d+\nevent: bye\n/);
      expect(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '')).toMatchObject({
        code: 'channels_forbidden',
        message: expect.stringContaining(pattern),
      });
    },
  );

  it('costs the others nothing: they are served, and the gateway is ready', async () => {
    const viewer = await gateway.view('channels=logs*');
    const body = JSON.stringify({ channel: 'logs:a', msg: 'hi' });
    expect((await fetch(`${gateway.url}/api/publish`, { method: 'POST', body })).status).toBe(200);
    await eventually('the entry', () => viewer.entries.some(({ msg }) => msg === 'hi'));
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    viewer.vanish();
  });

  it('a channel on which it may not publish is refused by code', async () => {
    const body = JSON.stringify({ channel: 'events:a', msg: 'hi' });
    const refused = await fetch(`${gateway.url}/api/publish`, { method: 'POST', body });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'channel_unusable' });
  });

  it('one such channel in a body of more than a batch does not ask for the same again, since the rest is stored', async () => {
    const entries = Array.from({ length: 600 }, (_, i) => ({ channel: 'logs:b', msg: `line ${i}` }));
    const body = JSON.stringify([...entries, { channel: 'events:a', msg: 'lost' }]);
    const refused = await fetch(`${gateway.url}/api/publish`, { method: 'POST', body });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([422, null]);
    expect(await refused.json()).toMatchObject({
      code: 'invalid_entry',
      detail: expect.stringMatching(/^1 of 601 entries refused: .*; the other 600 are stored$/),
    });
    expect(await stored(gateway.broker, ['logs:b'])).toHaveLength(600);
  });
});

it('a Redis that would evict entries is named on logs:gateway', async () => {
  await eventually('the warning', async () => {
    const page = await fetch(`${gateway.url}/api/entries?channels=logs:gateway&level=warn`);
    return JSON.stringify(await page.json()).includes('maxmemory-policy is allkeys-lru');
  });
});
