// What a viewer is promised, on both logs: each entry once and in order across reconnects at any moment, a ledger that adds
// up, and slow viewers that delay nobody.
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Broker, Listener } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { SseClient } from '../../../../test-support/sse-client.ts';
import { createApp, type Tuning } from '../../../src/app.ts';
import { readGatewayConfig } from '../../../src/config.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: TestGateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
});

type Kind = 'memory' | 'redis';

/** Text that gzip makes no smaller. */
const noise = () => randomBytes(6_000).toString('base64');

type Coding = 'identity' | 'gzip';

/** A gateway whose viewers all ask for this coding. */
const start = async (kind: Kind, coding: Coding, env: Record<string, string> = {}, tuning: Tuning = {}) => {
  const log: Record<string, string> =
    kind === 'redis' ? { REDIS_URL: redis.url, NAMESPACE: randomNamespace() } : {};
  const gateway = await openGateway(
    { SSE_KEEPALIVE_MS: '100', RETENTION_ENTRIES: '1000000', ...log, ...env },
    tuning,
  );
  open.push(gateway);
  const headers: Record<string, string> = coding === 'gzip' ? { 'accept-encoding': 'gzip' } : {};
  const view: TestGateway['view'] = async (query, options) => {
    const viewer = await gateway.view(query, { headers, ...options });
    expect(viewer.headers['content-encoding']).toBe(headers['accept-encoding']);
    return viewer;
  };
  return { ...gateway, view };
};

/** Writes numbered entries to one channel after another, about ten thousand a second, until `stop` is called. */
function writer({ broker }: TestGateway, channels: readonly string[], size = 20) {
  let stopped = false;
  let count = 0;
  const run = async () => {
    while (!stopped) {
      const drafts = Array.from({ length: size }, () =>
        line(channels[count % channels.length] as string, `${count++}`),
      );
      await broker.publish(drafts);
      await setTimeout(1);
    }
    return count;
  };
  const done = run();
  return {
    get count() {
      return count;
    },
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

/** received = replayed + (ping.count − hello.count), at every ping. */
function ledger(viewer: SseClient): { pings: number; wrong: string[] } {
  const [hello] = viewer.named('hello');
  const [live] = viewer.named('live');
  const expected = (ping: Record<string, unknown>) =>
    Number(live?.data.replayed) + Number(ping.count) - Number(hello?.data.count);
  let received = 0;
  let pings = 0;
  const wrong: string[] = [];
  for (const { event, data } of viewer.events) {
    if (event === '') received++;
    if (event !== 'ping') continue;
    pings++;
    if (expected(data) !== received) wrong.push(`${received} received, ${expected(data)} by the ledger`);
  }
  return { pings, wrong };
}

const numberOf = (id: unknown) => Number(`${id}`.split('-')[1]);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

/** A gateway that lags its log: after `hold` it receives nothing that the log announces until `release`. */
async function laggingGateway(log: Broker) {
  const waiting: (() => void)[] = [];
  let holding = false;
  const later = (call: () => void) => (holding ? waiting.push(call) : call());
  const subscribe: Broker['subscribe'] = (patterns, listener) =>
    log.subscribe(patterns, {
      onRecord: (record) => later(() => listener.onRecord(record)),
      onGap: (gap) => later(() => listener.onGap(gap)),
      onAdvance: (position) => later(() => listener.onAdvance(position)),
    });
  const broker = new Proxy(log, {
    get: (of, key) => (key === 'subscribe' ? subscribe : Reflect.get(of, key).bind?.(of)),
  });
  const config = readGatewayConfig({ SSE_KEEPALIVE_MS: '100' });
  const app = createApp(config, broker, createLogger('gateway', 'silent', true));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: app.listeningOrigin,
    hold: () => {
      holding = true;
    },
    release: () => {
      holding = false;
      for (const call of waiting.splice(0)) call();
    },
    close: () => app.close(),
  };
}

it('the ledger of a viewer that has seen more than its new gateway adds up, too', async () => {
  const log = new MemoryBroker();
  const gateway = await laggingGateway(log);
  const early = await SseClient.open(`${gateway.url}/stream?channels=x`);
  await early.saw('live');
  gateway.hold();
  const ids = await log.publish(range(0, 5).map((msg) => line('x', msg)));
  const ahead = await SseClient.open(`${gateway.url}/stream?channels=x`, { lastEventId: `${ids[2]}` });
  expect(ahead.status).toBe(200); // it gets its head at once, and the stream once the gateway has caught up
  gateway.release();
  await ahead.got(2);
  await log.publish([line('x', '5')]);
  await eventually('pings', () => ledger(ahead).pings >= 2);
  expect(ahead.msgs).toEqual(['3', '4', '5']);
  expect(ledger(ahead).wrong).toEqual([]);
  for (const viewer of [early, ahead]) viewer.vanish();
  await gateway.close();
  await log.close();
});

it('a viewer that resumes in a wiped log before its gateway knows of that gets one gap, and nothing twice', async () => {
  const old = new MemoryBroker();
  let log: Broker = old;
  const listeners: Listener[] = [];
  const subscribe: Broker['subscribe'] = (patterns, listener) => {
    if (patterns.includes('x')) listeners.push(listener);
    return old.subscribe(patterns, listener);
  };
  const broker = new Proxy(old, {
    get: (_, key) => (key === 'subscribe' ? subscribe : Reflect.get(log, key).bind?.(log)),
  });
  const app = createApp(
    readGatewayConfig({ SSE_KEEPALIVE_MS: '100' }),
    broker,
    createLogger('gateway', 'silent', true),
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `${app.listeningOrigin}/stream?channels=x`;
  const early = await SseClient.open(url);
  const [seen] = await old.publish([line('x', 'old'), line('x', 'lost')]);
  await early.got(2);

  log = new MemoryBroker();
  const start = await log.head();
  await log.publish(range(0, 3).map((msg) => line('x', msg)));
  const viewer = await SseClient.open(url, { lastEventId: `${seen}` });
  await viewer.saw('live');
  // Now the gateway learns that the log was wiped, as it would from Redis.
  const listener = listeners[0] as Listener;
  listener.onGap({
    channel: null,
    after: await old.head(),
    before: start + 1,
    reason: 'reset',
    missed: null,
  });
  const { items } = await log.readPage({ channels: ['x'], after: start, limit: 10 });
  for (const { record } of items) if (record) listener.onRecord(record);
  await log.subscribe(['x'], listener);
  await log.publish([line('x', '3')]);
  for (const each of [early, viewer]) await eventually('the newest', () => each.msgs.at(-1) === '3');
  expect(viewer.msgs).toEqual(range(0, 4));
  expect(early.msgs).toEqual(['old', 'lost', ...range(0, 4)]);
  for (const each of [early, viewer]) {
    expect(each.named('gap').map(({ data }) => data.reason)).toEqual(['reset']);
    const ids = each.events.flatMap(({ id }) => (id === undefined ? [] : [numberOf(id)]));
    expect([...ids].sort((a, b) => a - b)).toEqual(ids);
    each.vanish();
  }
  await app.close();
});

describe.each<[Kind, Coding]>([
  ['memory', 'identity'],
  ['memory', 'gzip'],
  ['redis', 'identity'],
  ['redis', 'gzip'],
])('on %s, as %s', (kind, coding) => {
  it('a viewer that reconnects at random moments under full load gets every entry once, in order', async () => {
    const gateway = await start(kind, coding);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 6 }),
        async (legs) => {
          const names = ['x', 'y', 'z'].map((name) => `${name}${Math.random().toString(36).slice(2)}`);
          const query = `channels=${names.join(',')}`;
          const load = writer(gateway, names);
          const got: string[] = [];
          let viewer = await gateway.view(query, { lastEventId: await beginning(gateway) });
          try {
            for (const leg of legs) {
              await eventually('entries', () => viewer.entries.length >= leg && viewer.lastEventId !== '');
              viewer.vanish();
              await viewer.ended();
              got.push(...viewer.msgs);
              viewer = await gateway.view(query, { lastEventId: viewer.lastEventId });
            }
          } finally {
            await load.stop();
          }
          const total = load.count;
          await eventually('the last entry', () => viewer.msgs.at(-1) === `${total - 1}`);
          got.push(...viewer.msgs);
          viewer.vanish();
          expect(got).toEqual(range(Number(got[0]), total));
          expect(viewer.named('gap')).toEqual([]);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('the ledger adds up on fresh, resumed, tail, since and filtered connections, under load', async () => {
    const gateway = await start(kind, coding);
    const ids = await gateway.broker.publish(range(0, 50).map((msg) => line('x', msg)));
    const load = writer(gateway, ['x', 'y']);
    const queries = ['', 'tail=30', `since=${ids[10]}`, 'since=1h', 'q=7', 'q=7&tail=30', 'level=error'];
    const viewers = await Promise.all([
      ...queries.map((query) => gateway.view(`channels=x,y&${query}`)),
      gateway.view('channels=x,y', { lastEventId: `${ids[0]}` }),
    ]);
    await Promise.all(viewers.map((viewer) => eventually('pings', () => ledger(viewer).pings >= 4)));
    await load.stop();
    for (const viewer of viewers) {
      expect(ledger(viewer).wrong).toEqual([]);
      viewer.vanish();
    }
  });

  it('a slow viewer lags alone, and has everything once it reads again', async () => {
    const gateway = await start(kind, coding, {}, { hub: { viewRingBytes: 262_144 } });
    const [slow, healthy] = await Promise.all([gateway.view('channels=x'), gateway.view('channels=x')]);
    await Promise.all([slow.saw('live'), healthy.saw('live')]);
    slow.pause();
    let count = 0;
    await eventually('a lagging viewer', async () => {
      await gateway.broker.publish(range(count, count + 50).map((msg) => line('x', `${msg} ${noise()}`)));
      count += 50;
      await healthy.got(count);
      return (await gateway.health()).lagging === 1;
    });
    // Far more than the ring holds, so that the slow viewer must read history; the healthy one has all of it by now.
    for (let i = 0; i < 4; i++, count += 50)
      await gateway.broker.publish(range(count, count + 50).map((msg) => line('x', `${msg} ${noise()}`)));
    await healthy.got(count);
    slow.resume();
    await slow.got(count);
    await eventually('nobody lagging', async () => (await gateway.health()).lagging === 0);
    await gateway.broker.publish([line('x', `${count++} live again`)]);
    await slow.got(count);
    expect(slow.msgs.map((msg) => msg.split(' ')[0])).toEqual(range(0, count));
    await eventually('a ping', () => slow.events.at(-1)?.event === 'ping');
    expect(ledger(slow).wrong).toEqual([]);
    expect(slow.named('gap')).toEqual([]);
    for (const viewer of [slow, healthy]) viewer.vanish();
  });

  it('a slow viewer that lost entries to retention gets each gap, and no other', async () => {
    const gateway = await start(
      kind,
      coding,
      { RETENTION_ENTRIES: '100' },
      { hub: { viewRingBytes: 65_536 } },
    );
    const [slow, fast] = await Promise.all([gateway.view('channels=x'), gateway.view('channels=x')]);
    await Promise.all([slow.saw('live'), fast.saw('live')]);
    slow.pause();
    let count = 0;
    const publish = async () => {
      await gateway.broker.publish(range(count, count + 50).map((msg) => line('x', `${msg} ${noise()}`)));
      count += 50;
      // The entries have been written by then, and are not joined with the next ones.
      await eventually('the healthy one has it', () => fast.msgs.at(-1)?.startsWith(`${count - 1} `));
    };
    await eventually('a lagging viewer', async () => {
      await publish();
      return (await gateway.health()).lagging === 1;
    });
    for (let i = 0; i < 20; i++) await publish();
    slow.resume();
    await eventually('the last entry', () => slow.msgs.at(-1)?.startsWith(`${count - 1} `));
    // The rule of `prev`: the entry before it on its channel was either shown or reported as missing, and nothing else was
    // reported.
    let shown = numberOf(slow.events[0]?.id);
    let reported: number[] = [];
    let gaps = 0;
    for (const { event, data } of slow.events) {
      if (event === 'gap') reported.push(numberOf(data.before) - 1);
      if (event !== '') continue;
      const isGap = Number(data.prev) > shown;
      expect(reported.length > 0).toBe(isGap);
      if (isGap) {
        gaps++;
        expect(reported.at(-1)).toBeGreaterThanOrEqual(Number(data.prev));
      }
      shown = numberOf(data.id);
      reported = [];
    }
    expect(gaps).toBeGreaterThan(0);
    slow.vanish();
    fast.vanish();
  });
});

async function beginning({ broker }: TestGateway): Promise<string> {
  const n = await broker.head();
  return `${Math.floor(n / 1_000)}-${n}`;
}
