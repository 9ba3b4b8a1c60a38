// A browser's own EventSource, without any client code of this project, misses nothing while its gateway is restarted.

import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually } from '../../../test-support/process.ts';
import { freePort, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { Gateway } from './fleet/fleet.ts';

it('a native EventSource misses and repeats nothing while its gateway is killed and replaced', async () => {
  const redis = await startRedis();
  const namespace = randomNamespace();
  const env = { REDIS_URL: redis.url, NAMESPACE: namespace, SSE_RETRY_MS: '100', LOG_LEVEL: 'warn' };
  const gateway = new Gateway(await freePort(), env);
  const broker = new RedisBroker({ url: redis.url, namespace });
  const publisher = new Publisher(broker, { source: 'test' });
  const browser = await launchChromium();
  let written = 0;
  const writing = setInterval(() => {
    written++;
    const fields = {
      time: Date.now(),
      channel: 'numbers',
      source: 'test',
      level: 'info' as const,
      msg: `${written}`,
    };
    publisher.enqueue(draft(fields));
  }, 5);
  try {
    await gateway.start();
    const page = await browser.newPage();
    await page.goto(`${gateway.url}/healthz`);
    await page.evaluate(`
      globalThis.seen = [];
      globalThis.gaps = [];
      globalThis.stream = new EventSource('/stream?channels=numbers');
      stream.onmessage = ({ data }) => seen.push(Number(JSON.parse(data).msg));
      stream.addEventListener('gap', ({ data }) => gaps.push(data));
    `);
    const seen = async () => (await page.evaluate('seen')) as number[];
    const reaches = (number: number) =>
      eventually(`entry ${number}`, async () => (await seen()).includes(number), 30_000);
    await eventually('first entries', async () => (await seen()).length > 20);

    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      await gateway.stop(signal);
      const missed = written + 20;
      await eventually('entries that nobody saw live', () => written >= missed);
      await gateway.start();
      await reaches(missed);
    }
    clearInterval(writing);
    await publisher.flush();
    await reaches(written);
    const numbers = await seen();
    const first = numbers[0] as number;
    expect(numbers).toEqual(Array.from({ length: written - first + 1 }, (_, i) => first + i));
    expect(await page.evaluate('gaps')).toEqual([]);
  } finally {
    clearInterval(writing);
    await publisher.close(1_000);
    await browser.close();
    await broker.close();
    await gateway.stop('SIGKILL');
    await redis.stop();
  }
});

it('a native EventSource that meets a full gateway comes back by itself', async () => {
  const gateway = new Gateway(await freePort(), {
    MAX_CONNECTIONS: '1',
    SSE_RETRY_MS: '200',
    LOG_LEVEL: 'warn',
  });
  const browser = await launchChromium();
  try {
    await gateway.start();
    const first = await browser.newPage();
    await first.goto(`${gateway.url}/healthz`);
    await first.evaluate(`new Promise((resolve) => {
      globalThis.stream = new EventSource('/stream?channels=a');
      stream.addEventListener('live', resolve);
    })`);
    const second = await browser.newPage();
    await second.goto(`${gateway.url}/healthz`);
    await second.evaluate(`new Promise((resolve) => {
      globalThis.received = [];
      globalThis.stream = new EventSource('/stream?channels=b');
      stream.addEventListener('bye', ({ data }) => { received.push(JSON.parse(data).code); if (received.length === 2) resolve(); });
      stream.addEventListener('live', () => received.push('live'));
    })`);
    await first.close();
    await eventually('the second gets in', async () =>
      ((await second.evaluate('received')) as string[]).includes('live'),
    );
    const received = (await second.evaluate('received')) as string[];
    expect(new Set(received)).toEqual(new Set(['over_limit', 'live']));
  } finally {
    await browser.close();
    await gateway.stop('SIGKILL');
  }
});
