// Routes against a model: each entry reaches each listener of its channel once, whoever comes and goes meanwhile.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LogRecord } from '../../src/broker/record.ts';
import { deliver, type Interest, Routes } from '../../src/broker/routes.ts';
import { matches } from '../../src/channels.ts';

const record = (channel: string, n: number) => new LogRecord(channel, Buffer.alloc(0), { n, prev: 0 });

function interest(patterns: readonly string[], from?: number) {
  const got: number[] = [];
  const listener = { entry: ({ n }: LogRecord) => void got.push(n), gap: () => {}, position: () => {} };
  const made: Interest = { patterns, listener, from };
  return { made, got, expected: [] as number[] };
}

it('an entry reaches those who listen to its channel when it comes, once each, and nobody else', () => {
  const patterns = fc.subarray(['a', 'b', 'a:1', 'a*', '*:1', '*', 'c*'], { minLength: 1 });
  const step = fc.oneof(
    fc.record({ do: fc.constant('come' as const), patterns, settled: fc.boolean() }),
    fc.record({ do: fc.constant('settle' as const), who: fc.nat(20) }),
    fc.record({ do: fc.constant('go' as const), who: fc.nat(20) }),
    fc.record({ do: fc.constant('entry' as const), channel: fc.constantFrom('a', 'b', 'c', 'a:1', 'b:1') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const routes = new Routes();
      const all: ReturnType<typeof interest>[] = [];
      const here = new Set<ReturnType<typeof interest>>();
      let n = 100;
      for (const now of steps) {
        const who = 'who' in now ? all[now.who % Math.max(1, all.length)] : undefined;
        if (now.do === 'come') {
          const one = interest(now.patterns, now.settled ? n : undefined);
          all.push(one);
          here.add(one);
          routes.add(one.made);
        } else if (now.do === 'settle' && who && here.has(who) && who.made.from === undefined) {
          routes.settle(who.made, n);
        } else if (now.do === 'go' && who) {
          here.delete(who);
          routes.remove(who.made);
        } else if (now.do === 'entry') {
          n++;
          for (const one of here) {
            const listens = one.made.patterns.some((pattern) => matches(pattern, now.channel));
            if (listens && one.made.from !== undefined) one.expected.push(n);
          }
          const entry = record(now.channel, n);
          deliver(routes.route(now.channel), entry);
          deliver(routes.route(now.channel), entry); // heard by two subscriptions
        }
      }
      for (const { got, expected } of all) expect(got).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

it('a flood of channel names makes nobody see an entry twice', () => {
  const routes = new Routes();
  const { made, got } = interest(['*'], 0);
  routes.add(made);
  const first = record('first', 1);
  deliver(routes.route('first'), first);
  for (let n = 2; n < 200_010; n++) deliver(routes.route(`flood:${n}`), record(`flood:${n}`, n));
  const before = got.length;
  deliver(routes.route('first'), first);
  expect(got).toHaveLength(before);
});
