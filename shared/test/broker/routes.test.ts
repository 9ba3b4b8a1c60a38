// Routes against a model: each entry reaches each listener of its channel once, while other listeners come and go.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LogRecord } from '../../src/broker/record.ts';
import { deliverRecord, type Interest, Routes } from '../../src/broker/routes.ts';
import { channelMatcher, matches } from '../../src/channels.ts';

const record = (channel: string, n: number) => new LogRecord(channel, Buffer.alloc(0), { n, prev: 0 });

function interest(patterns: readonly string[], from?: number) {
  const got: number[] = [];
  const listener = { onRecord: ({ n }: LogRecord) => void got.push(n), onGap: () => {}, onAdvance: () => {} };
  const made: Interest = { patterns, listener, from };
  return { made, got, expected: [] as number[] };
}

it('an entry reaches each present listener of its channel once, and no other listener', () => {
  const patterns = fc.subarray(['a', 'b', 'a:1', 'a*', '*:1', '*', 'c*'], { minLength: 1 });
  const step = fc.oneof(
    fc.record({ do: fc.constant('come' as const), patterns, settled: fc.boolean() }),
    fc.record({ do: fc.constant('settle' as const), who: fc.nat(20) }),
    fc.record({ do: fc.constant('go' as const), who: fc.nat(20) }),
    fc.record({ do: fc.constant('entry' as const), channel: fc.constantFrom('a', 'b', 'c', 'a:1', 'b:1') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 5, undefined), (steps, maxJoinCost) => {
      const routes = new Routes(channelMatcher, maxJoinCost);
      const all: ReturnType<typeof interest>[] = [];
      const here = new Set<ReturnType<typeof interest>>();
      let n = 100;
      for (const now of steps) {
        const who = 'who' in now ? all[now.who % Math.max(1, all.length)] : undefined;
        if (now.do === 'come') {
          const one = interest(now.patterns, now.settled ? n : undefined);
          all.push(one);
          here.add(one);
          routes.register(one.made);
        } else if (now.do === 'settle' && who && here.has(who) && who.made.from === undefined) {
          routes.startDelivery(who.made, n);
        } else if (now.do === 'go' && who) {
          here.delete(who);
          routes.unregister(who.made);
        } else if (now.do === 'entry') {
          n++;
          for (const one of here) {
            const listens = one.made.patterns.some((pattern) => matches(pattern, now.channel));
            if (listens && one.made.from !== undefined) one.expected.push(n);
          }
          const entry = record(now.channel, n);
          deliverRecord(routes.route(now.channel), entry);
          deliverRecord(routes.route(now.channel), entry); // heard by two subscriptions
        }
      }
      for (const { got, expected } of all) expect(got).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

it('a flood of channel names shows no listener an entry twice', () => {
  const routes = new Routes();
  const { made, got } = interest(['*'], 0);
  routes.register(made);
  const first = record('first', 1);
  deliverRecord(routes.route('first'), first);
  for (let n = 2; n < 200_010; n++) deliverRecord(routes.route(`flood:${n}`), record(`flood:${n}`, n));
  const before = got.length;
  deliverRecord(routes.route('first'), first);
  expect(got).toHaveLength(before);
});

/** Routes that count how often a pattern is compared with a channel. */
function counting() {
  const made = { compared: 0, routes: new Routes() };
  made.routes = new Routes((pattern) => {
    const fits = channelMatcher(pattern);
    return (channel) => {
      made.compared++;
      return fits(channel);
    };
  });
  return made;
}

const STARRY = Array.from({ length: 100 }, (_, i) => `*a*b${i}*c*d`);

it('a channel is compared with each pattern once, however many entries come on it, wanted or not', () => {
  const made = counting();
  made.routes.register(interest([...STARRY, 'wanted*'], 0).made);
  made.routes.register(interest(['wanted*', '*'], 0).made);
  const patterns = STARRY.length + 2;
  for (let n = 1; n <= 100; n++)
    deliverRecord(made.routes.route('runs:unwanted'), record('runs:unwanted', n));
  expect(made.compared).toBe(patterns);
  for (let n = 101; n <= 200; n++) deliverRecord(made.routes.route('wanted'), record('wanted', n));
  expect(made.compared).toBe(2 * patterns);
});

it('no listener that comes or goes has many patterns compared with very many channels at once', () => {
  const made = counting();
  const { made: all, got } = interest(['*'], 0);
  made.routes.register(all);
  for (let n = 1; n <= 20_000; n++) deliverRecord(made.routes.route(`c:${n}`), record(`c:${n}`, n));
  made.compared = 0;
  const guest = interest(STARRY, 20_000).made;
  made.routes.register(guest);
  made.routes.unregister(guest);
  expect(made.compared).toBeLessThanOrEqual(100_000);
  deliverRecord(made.routes.route('c:1'), record('c:1', 1)); // delivered before
  deliverRecord(made.routes.route('c:1'), record('c:1', 20_001));
  expect(made.compared).toBeLessThanOrEqual(100_000 + STARRY.length + 1);
  expect(got).toHaveLength(20_001);
});
