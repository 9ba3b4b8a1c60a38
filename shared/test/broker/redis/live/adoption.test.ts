// Every plain PUBLISH that Redis reports as heard is in the log once, whatever gateways start and stop meanwhile. If a gateway dies,
// a notice names the time from which messages may be missing.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../../test-support/process.ts';
import { randomNamespace } from '../../../../../test-support/redis.ts';
import { loadScript } from '../../../../src/broker/redis/client.ts';
import { RedisKeys } from '../../../../src/broker/redis/keys.ts';
import { RedisBroker } from '../../../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '../../../../src/broker/retention.ts';
import { RedisRelay } from '../redis-relay.ts';
import { redisStage } from '../redis-stage.ts';
import { PlainWriter } from './plain-writer.ts';

const stage = redisStage();
const CHANNEL = 'logs:plain';
/** Whatever is missing was lost before it came into the log. */
const retention = { ...DEFAULT_RETENTION, default: { entries: 1_000_000, idleMs: 3_600_000 } };

interface Stored {
  time: number;
  msg: string;
}

/** All that the log holds of a channel. */
async function stored(namespace: string, channel: string): Promise<Stored[]> {
  const rows = await stage.redis.xrange(`{${namespace}}:ch:${channel}`, '-', '+');
  return rows.map(([, fields]) => JSON.parse(fields[1] as string));
}

interface Span {
  from: number;
  to: number;
}

/** The spans of time of which a notice says that messages may be missing. */
async function noticed(namespace: string): Promise<Span[]> {
  return (await stored(namespace, 'logs:gateway')).map(({ time, msg }) => {
    return { from: Date.parse(/since (\S+) may be missing/.exec(msg)?.[1] ?? ''), to: time };
  });
}

/** What is wrong in the end: messages that the log holds twice, and those that it lacks and no notice names. */
async function faults(namespace: string, writer: PlainWriter): Promise<{ twice: number[]; lost: number[] }> {
  await writer.stop();
  await eventually('a last message is adopted', async () => {
    await stage.redis.publish(`{${namespace}}:${CHANNEL}`, 'last');
    const newest = await stage.redis.xrevrange(`{${namespace}}:ch:${CHANNEL}`, '+', '-', 'COUNT', 1);
    return newest.some(([, fields]) => JSON.parse(fields[1] as string).msg === 'last');
  });
  const got = (await stored(namespace, CHANNEL))
    .map(({ msg }) => Number(/^\d+/.exec(msg)?.[0] ?? Number.NaN))
    .filter((k) => !Number.isNaN(k));
  const [spans, all] = [await noticed(namespace), new Set(got)];
  const isNamed = (at: Span) => spans.some(({ from, to }) => from <= at.to && at.from <= to);
  return {
    twice: got.sort((a, b) => a - b).filter((k, i) => got[i - 1] === k),
    lost: [...writer.heard]
      .filter(([k, at]) => !all.has(k) && !isNamed(at))
      .map(([k]) => k)
      .slice(0, 20),
  };
}

const NONE = { twice: [], lost: [] };

class Gateways {
  readonly namespace = randomNamespace();
  readonly writer = new PlainWriter(stage.server.url, `{${this.namespace}}:${CHANNEL}`);
  readonly #running: { relay: RedisRelay; broker: RedisBroker; opened: Promise<void> }[] = [];
  readonly #dead: RedisBroker[] = [];

  async start(prepare: (relay: RedisRelay) => void = () => {}): Promise<void> {
    const relay = await RedisRelay.start(stage.server.port);
    prepare(relay);
    const broker = new RedisBroker({
      url: relay.url,
      namespace: this.namespace,
      adopt: ['logs*'],
      retention,
    });
    const opened = broker.open(10_000);
    opened.catch(() => {}); // it may be stopped or killed before
    this.#running.push({ relay, broker, opened });
  }

  /** The one at `index` of those that run, however far its start has come. */
  async stop(index: number): Promise<void> {
    const [one] = this.#running.splice(index % this.#running.length, 1);
    await one?.broker.close();
    one?.relay.cut();
  }

  kill(index: number): void {
    const [one] = this.#running.splice(index % this.#running.length, 1);
    one?.relay.cut();
    if (one) this.#dead.push(one.broker);
  }

  get running(): number {
    return this.#running.length;
  }

  async opened(): Promise<void> {
    await Promise.all(this.#running.map(({ opened }) => opened));
  }

  async close(): Promise<void> {
    await this.writer.stop();
    while (this.running > 0) await this.stop(0);
    for (const broker of this.#dead) await broker.close();
  }
}

describe('every plain PUBLISH that was heard is adopted once', () => {
  const cases: [string, number, (gateways: Gateways) => Promise<void>][] = [
    ['while the first gateway starts on an empty namespace', 1, async () => {}],
    ['while four gateways start at once', 4, async () => {}],
    [
      'while a gateway starts after a lease has expired',
      1,
      async ({ namespace }) => {
        const client = await stage.client();
        const tick = ['elsewhere', 'gone', 1, 1, '', 0];
        await client.runScript(loadScript('tick', 'allow-oom'), new RedisKeys(namespace), tick);
        await eventually('expired', async () => (await stage.redis.exists(`{${namespace}}:adopter`)) === 0);
      },
    ],
    [
      'while a gateway starts right after another has stopped',
      1,
      async (gateways) => {
        await gateways.start();
        await gateways.opened();
        await gateways.writer.more(20);
        await gateways.stop(0);
      },
    ],
  ];
  it.each(cases)('%s', async (_name, count, before) => {
    const gateways = new Gateways();
    try {
      await before(gateways);
      await Promise.all(Array.from({ length: count }, () => gateways.start()));
      await gateways.opened();
      await gateways.writer.more(50);
      expect(await faults(gateways.namespace, gateways.writer)).toEqual(NONE);
    } finally {
      await gateways.close();
    }
  });

  it('while a gateway needs longer than a lease lasts to read what it has missed', async () => {
    const gateways = new Gateways();
    const { namespace, writer } = gateways;
    try {
      let relay: RedisRelay | undefined;
      await gateways.start((its) => {
        relay = its;
      });
      await gateways.opened();
      relay?.hold('history');
      await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await eventually('it listens again, and asks what it has missed', () => (relay?.waiting ?? 0) > 0);
      await gateways.start();
      const ends = async () => Date.now() + (await stage.redis.pttl(`{${namespace}}:adopter`));
      const [lease, end] = [await stage.redis.get(`{${namespace}}:adopter`), await ends()];
      await eventually('it is renewed after it would have ended', async () => (await ends()) > end + 3_000);
      expect(await stage.redis.get(`{${namespace}}:adopter`)).toBe(lease);
      relay?.release();
      expect(await faults(namespace, writer)).toEqual(NONE);
    } finally {
      await gateways.close();
    }
  });

  it('or named by a notice, where more come meanwhile than a gateway may hold', async () => {
    const gateways = new Gateways();
    const { namespace } = gateways;
    try {
      let relay: RedisRelay | undefined;
      await gateways.start((its) => {
        relay = its;
      });
      await gateways.opened();
      relay?.hold('history');
      await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await eventually('it listens again, and asks what it has missed', () => (relay?.waiting ?? 0) > 0);
      const large = 'x'.repeat(1_048_576);
      for (let i = 0; i < 50; i++) {
        await stage.redis.publish(`{${namespace}}:logs:large`, large);
        const clients = async () => `${await stage.redis.call('CLIENT', 'LIST', 'TYPE', 'pubsub')}`;
        await eventually('it has been read', async () => !/ omem=[1-9]/.test(await clients()));
      }
      relay?.release();
      await eventually('the notice', async () =>
        (await stored(namespace, 'logs:gateway')).some(({ msg }) =>
          /^plain PUBLISHes since 20.* may be missing: too many came while history was read$/.test(msg),
        ),
      );
    } finally {
      await gateways.close();
    }
  });

  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('start' as const), count: fc.integer({ min: 1, max: 3 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('stop' as const), who: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), who: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('write' as const), count: fc.nat(40) }) },
  );
  const bursts = fc.constantFrom<[number, number]>([1, 0], [200, 400], [500, 40]);

  it('or named by a notice, whatever gateways start, stop and die', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), bursts, async (steps, burst) => {
        const gateways = new Gateways();
        const leaving: Promise<void>[] = [];
        gateways.writer.setBurst(...burst);
        try {
          await gateways.start();
          for (const now of steps) {
            if (now.do === 'write') await gateways.writer.more(now.count);
            else if (now.do === 'kill' && gateways.running > 0) gateways.kill(now.who);
            else if (now.do === 'stop' && gateways.running > 0) {
              // One at a time, while others start.
              await Promise.all(leaving);
              leaving.push(gateways.stop(now.who));
            } else if (now.do === 'start' && gateways.running < 4)
              await Promise.all(Array.from({ length: now.count }, () => gateways.start()));
          }
          await Promise.all(leaving);
          await gateways.start();
          await gateways.opened();
          await gateways.writer.more(20);
          expect(await faults(gateways.namespace, gateways.writer)).toEqual(NONE);
        } finally {
          await Promise.allSettled(leaving);
          await gateways.close();
        }
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it('or named by a notice, where gateways are killed', { timeout: 60_000 }, async () => {
    const gateways = new Gateways();
    const { namespace, writer } = gateways;
    try {
      await Promise.all([gateways.start(), gateways.start()]);
      await gateways.opened();
      for (const who of [0, 1, 0]) {
        await writer.more(50);
        await gateways.start();
        await gateways.opened();
        gateways.kill(who);
      }
      await gateways.opened();
      expect(await faults(namespace, writer)).toEqual(NONE);
    } finally {
      await gateways.close();
    }
  });
});
