// /healthz, /readyz and /sse/health say whether the gateway is alive, can serve, and how its streams are doing, with a real Redis that
// goes away and comes back.
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';

let gateway: TestGateway;
let redis: RedisServer | undefined;
afterEach(async () => {
  await gateway.close();
  await redis?.stop();
  redis = undefined;
});

it('answers alive and ready, and counts its streams', async () => {
  gateway = await openGateway();
  expect(await (await fetch(`${gateway.url}/healthz`)).json()).toMatchObject({ status: 'ok' });
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  const viewer = await gateway.view();
  await viewer.saw('live');
  expect(await gateway.health()).toMatchObject({
    status: 'ok',
    redis: false,
    connections: 1,
    connected: 1,
    views: 1,
    lagging: 0,
    resumed: 0,
    refused: 0,
  });
  viewer.vanish();
});

it('is not ready while Redis is there and does not answer', async () => {
  redis = await startRedis();
  gateway = await openGateway({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });
  const ready = async () => (await fetch(`${gateway.url}/readyz`)).status;
  redis.pause();
  await eventually('not ready', async () => (await ready()) === 503);
  redis.resume();
  await eventually('ready again', async () => (await ready()) === 200);
});

it('is alive but not ready while Redis is away, tells no address, and recovers by itself', async () => {
  redis = await startRedis();
  gateway = await openGateway({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  await redis.kill();
  const away = await eventually('not ready', async () => {
    const response = await fetch(`${gateway.url}/readyz`);
    return response.status === 503 && response;
  });
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
  const problem = JSON.stringify(await away.json());
  expect(problem).toContain('broker_unavailable');
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  expect(await gateway.health()).toMatchObject({ status: 'degraded', redis: true });
  for (const path of ['/api/entries', '/api/channels', '/stream', '/stream?channels=b&tail=5']) {
    const response = await fetch(`${gateway.url}${path}`);
    const text = await response.text();
    expect({ path, status: response.status, text }).toMatchObject({
      status: 503,
      text: expect.stringContaining('broker_unavailable'),
    });
    expect(text).not.toContain(`${redis.port}`);
  }
  const refused = await fetch(`${gateway.url}/api/publish`, {
    method: 'POST',
    body: '{"channel":"a","msg":"x"}',
  });
  expect(refused.status).toBe(503);
  const browser = await gateway.view('', { headers: { accept: 'text/event-stream' } });
  expect((await browser.saw('bye')).data).toMatchObject({ code: 'not_ready' });
  expect(problem).not.toContain(`${redis.port}`);
  await redis.restart();
  await eventually('ready again', async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
  expect(await gateway.health()).toMatchObject({ status: 'ok', reconnects: 1 });
});
