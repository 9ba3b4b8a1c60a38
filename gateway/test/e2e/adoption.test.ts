// A gateway that ends while it starts: whatever Redis reported as heard is in the log once, or named by a notice there.

import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlainWriter } from '../../../shared/test/broker/redis/live/plain-writer.ts';
import { eventually, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const start = (NAMESPACE: string, PORT = '0') =>
  startProcess(['gateway/src/main.ts'], {
    env: { NAMESPACE, PORT, REDIS_URL: server.url, RETENTION_ENTRIES: '1000000', LOG_LEVEL: 'info' },
  });

const stored = async (namespace: string, channel: string): Promise<{ time: number; msg: string }[]> =>
  (await redis.xrange(`{${namespace}}:ch:${channel}`, '-', '+')).map(([, fields]) =>
    JSON.parse(fields[1] as string),
  );

/** What was heard, and is neither in the log once nor inside a time of which a notice says that messages may be missing. */
async function unnamed(namespace: string, writer: PlainWriter): Promise<number[]> {
  const times = new Map<number, number>();
  for (const { msg } of await stored(namespace, 'logs:plain'))
    times.set(Number.parseInt(msg, 10), (times.get(Number.parseInt(msg, 10)) ?? 0) + 1);
  const spans = (await stored(namespace, 'logs:gateway')).flatMap(({ time, msg }) => {
    const since = /^plain PUBLISHes since (\S+) may be missing/.exec(msg)?.[1];
    return since === undefined ? [] : [{ from: Date.parse(since), to: time }];
  });
  const isNamed = (at: { from: number; to: number }) =>
    spans.some(({ from, to }) => from <= at.to && at.from <= to);
  return [...writer.heard]
    .filter(([k, at]) => times.get(k) !== 1 && !(times.get(k) === undefined && isNamed(at)))
    .map(([k]) => k)
    .slice(0, 20);
}

describe('what a starting gateway has heard', () => {
  const cases = ['SIGTERM', 'SIGINT', 'SIGKILL'].flatMap((signal) =>
    [0, 1, 100].map(
      (percent) => [signal as NodeJS.Signals, Math.round(percent * (1 + Math.random()))] as const,
    ),
  );

  it.each(cases)(
    'is not lost without a word, where %s comes %d ms after it begins to listen',
    async (signal, ms) => {
      const namespace = randomNamespace();
      const writer = new PlainWriter(server.url, `{${namespace}}:logs:plain`);
      writer.setBurst(20, 200);
      const first = start(namespace);
      await eventually('it hears', () => writer.heard.size > 0);
      await pause(ms);
      const exit = await first.stop(signal);
      if (signal !== 'SIGKILL') {
        expect(exit).toEqual({ code: 0, signal: null });
        // Nobody else heard anything, so that nothing needs to be named.
        const log = new Set(
          (await stored(namespace, 'logs:plain')).map(({ msg }) => Number.parseInt(msg, 10)),
        );
        expect([...writer.heard.keys()].filter((k) => !log.has(k))).toEqual([]);
      }
      await writer.stop();
      const next = start(namespace);
      await next.saw('adopting foreign messages');
      await eventually(
        'all is in the log or named',
        async () => (await unnamed(namespace, writer)).length === 0,
      );
      await next.stop();
    },
  );

  it('is in the log, where the gateway finds its port taken', async () => {
    const namespace = randomNamespace();
    const writer = new PlainWriter(server.url, `{${namespace}}:logs:plain`);
    const port = await freePort();
    const other = startProcess(['gateway/src/main.ts'], { env: { PORT: `${port}` } });
    await other.saw(/http:\/\//);
    expect((await start(namespace, `${port}`).exited).code).toBe(1);
    await writer.stop();
    expect(writer.heard.size).toBeGreaterThan(0);
    const log = (await stored(namespace, 'logs:plain')).map(({ msg }) => Number(msg));
    expect([...writer.heard.keys()].filter((k) => !log.includes(k))).toEqual([]);
    await other.stop();
  });
});
