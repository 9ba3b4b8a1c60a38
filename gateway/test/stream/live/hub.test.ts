// One process with many viewers and one Redis: what that costs, what is left after it, and what the gateway logs about it.
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { SseClient } from '../../../../test-support/sse-client.ts';

let redis: RedisServer;
let admin: Redis;
let gateway: TestGateway;
let namespace: string;
beforeEach(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
  namespace = randomNamespace();
  gateway = await openGateway({ REDIS_URL: redis.url, NAMESPACE: namespace });
});
afterEach(async () => {
  await gateway.close();
  admin.disconnect();
  await redis.stop();
});

const connections = async () => {
  const list = (await admin.client('LIST')) as string;
  return list
    .split('\n')
    .flatMap((text) => /name=(llm-streamer-\S+)/.exec(text)?.[1] ?? [])
    .sort();
};

const subscriptions = async () =>
  ((await admin.pubsub('CHANNELS')) as string[]).length + Number(await admin.pubsub('NUMPAT'));

const publish = (...msgs: string[]) => gateway.broker.publish(msgs.map((msg) => line('logs', msg)));

describe('two hundred viewers', () => {
  it('share the Redis connections of a single viewer, and leave nothing open', async () => {
    const before = await eventually('all its connections', async () => {
      const names = await connections();
      return names.length === 4 && names;
    });
    const quiet = await subscriptions();
    const queries = ['channels=logs', 'channels=logs*', 'channels=logs&level=info', 'channels=logs,b&tail=1'];
    const viewers = await Promise.all(Array.from({ length: 200 }, (_, i) => gateway.view(queries[i % 4])));
    await Promise.all(viewers.map((viewer) => viewer.saw('live')));
    expect(await connections()).toEqual(before);
    expect(await gateway.health()).toMatchObject({ connections: 200, views: 4 });
    await publish('a', 'b', 'c');
    await Promise.all(viewers.map((viewer) => eventually('all three', () => viewer.msgs.includes('c'))));
    expect(await connections()).toEqual(before);
    for (const viewer of viewers) viewer.vanish();
    await eventually('nobody', async () => {
      const { connections, views } = await gateway.health();
      return connections === 0 && views === 0;
    });
    await eventually('no subscription more than at first', async () => (await subscriptions()) === quiet);
  });

  it('appear on logs:gateway in summaries, at most one a second, none of them about publishing', async () => {
    const reader = await gateway.view('channels=logs:gateway&tail=100');
    await reader.saw('live');
    const viewers = await Promise.all(Array.from({ length: 100 }, () => gateway.view('channels=logs')));
    await Promise.all(viewers.map((viewer) => viewer.saw('live')));
    for (let i = 0; i < 50; i++) await publish(`${i}`);
    for (const viewer of viewers) viewer.vanish();
    const counted = (word: string) =>
      reader.msgs.reduce((sum, msg) => sum + Number(new RegExp(`(\\d+) ${word}`).exec(msg)?.[1] ?? 0), 0);
    await eventually('all counted', () => counted('left') === 100);
    expect(counted('connected')).toBe(101);
    const summaries = reader.entries.filter(({ msg }) => /\d+ (connected|left)/.test(`${msg}`));
    const times = summaries.map(({ time }) => Number(time));
    const tooSoon = times.filter((time, i) => i > 0 && time - (times[i - 1] as number) < 900);
    expect(tooSoon).toEqual([]);
    expect(reader.msgs.filter((msg) => /publish/.test(msg))).toEqual([]);
    reader.vanish();
  });
});

describe('two gateways on one Redis', () => {
  it('hand a viewer over without a gap or a repeat', async () => {
    const other = await openGateway({ REDIS_URL: redis.url, NAMESPACE: namespace });
    let stop = false;
    let count = 0;
    const load = (async () => {
      for (; !stop; await new Promise((resolve) => setImmediate(resolve)))
        await publish(`${count++}`, `${count++}`);
    })();
    const got: string[] = [];
    // A viewer is on each gateway already, so that the one that moves joins views that have gone on without it.
    const stay = await Promise.all(
      [gateway, other].map(({ url }) => SseClient.open(`${url}/stream?channels=logs`)),
    );
    let viewer = await gateway.view('channels=logs');
    for (let turn = 0; turn < 12; turn++) {
      await viewer.got(20);
      viewer.vanish();
      await viewer.ended();
      got.push(...viewer.msgs);
      viewer = await (turn % 2 ? gateway : other).view('channels=logs', { lastEventId: viewer.lastEventId });
    }
    stop = true;
    await load;
    await eventually('the last', () => viewer.msgs.at(-1) === `${count - 1}`);
    got.push(...viewer.msgs);
    const first = Number(got[0]);
    expect(got).toEqual(Array.from({ length: count - first }, (_, i) => `${first + i}`));
    for (const one of [viewer, ...stay]) one.vanish();
    await other.close();
  });
});
