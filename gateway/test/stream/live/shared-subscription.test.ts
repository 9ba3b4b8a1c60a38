// A tap: one subscription for all views of the same channels, each of which is told of all that comes after it began.
import type { Broker, Listener } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { Hub } from '../../../src/stream/live/hub.ts';
import type { Segment } from '../../../src/stream/live/segment.ts';
import type { View } from '../../../src/stream/live/view.ts';
import { parseSelection } from '../../../src/stream/query/query.ts';

const OPTIONS = {
  keepAliveMs: 60_000,
  flushWindowMs: 50,
  viewRingBytes: 1_048_576,
  ringBytes: 1_048_576,
  maxViews: 10_000,
  maxCompressed: 0,
};

let log: MemoryBroker;
let hub: Hub;
/** Subscriptions made, and those still there. */
let made: number;
let open: number;
/** What happens between a subscription's beginning and its caller's hearing of it. */
let meanwhile: (listener: Listener) => Promise<unknown>;

beforeEach(() => {
  log = new MemoryBroker();
  [made, open] = [0, 0];
  meanwhile = async () => {};
  const subscribe: Broker['subscribe'] = async (patterns, listener) => {
    made++;
    const { from, close } = await log.subscribe(patterns, listener);
    await meanwhile(listener);
    open++;
    return { from, close: () => [close(), open--] };
  };
  hub = new Hub(Object.assign(Object.create(log), { subscribe }), OPTIONS);
});
afterEach(async () => {
  hub.close();
  await log.close();
});

const acquire = (query: Record<string, string>) => hub.acquire(parseSelection(query));
const publish = (...msgs: string[]) => log.publish(msgs.map((msg) => line('a', msg, { source: msg })));

const emitted = async (view: View) => {
  view.flush(OPTIONS.viewRingBytes);
  return view.flushedCount;
};

it('is shared by all queries of the same channels, and closed with the last of them', async () => {
  const one = await acquire({ channels: 'a,b', level: 'error' });
  const many = await Promise.all(
    Array.from({ length: 100 }, (_, i) => acquire({ channels: 'b,a', source: `${i}` })),
  );
  const other = await acquire({ channels: 'a' });
  expect([made, open]).toEqual([2, 2]);
  for (const view of many) hub.release(view);
  expect(open).toBe(2);
  hub.release(one);
  expect(open).toBe(1);
  await acquire({ channels: 'a,b' });
  expect([made, open]).toEqual([3, 2]);
  hub.release(other);
  expect(open).toBe(1);
});

it('tells each view of what it wants from where it began, and all of them how far the log has come', async () => {
  const first = await acquire({ channels: 'a' });
  await publish('x', 'y');
  const second = await acquire({ channels: 'a', source: 'y' });
  expect(second.flushedTo).toBe(await log.head());
  await publish('x', 'y', 'z');
  expect([await emitted(first), await emitted(second)]).toEqual([5, 1]);
  await publish('x');
  expect(second.flushedTo).toBe(await log.head());
  expect(first.flushedTo).toBeLessThan(second.flushedTo);
});

it('a view that has left is told nothing more', async () => {
  await acquire({ channels: 'a' });
  const gone = await acquire({ channels: 'a', source: 'x' });
  hub.release(gone);
  await publish('x');
  expect(await emitted(gone)).toBe(0);
});

it('what comes while it opens is behind where its views begin', async () => {
  meanwhile = () => publish('early');
  const view = await acquire({ channels: 'a' });
  expect(view.flushedTo).toBe(await log.head());
  expect(view.isCaughtUp(view.flushedTo - 1)).toBe(false);
  await publish('late');
  expect(await emitted(view)).toBe(1);
});

it.each([
  ['trimmed', false],
  ['expired', false],
  ['reset', true],
  ['rollback', true],
] as const)('tells all views of a gap (%s), which moves it on: %s', async (reason, moves) => {
  let tap: Listener | undefined;
  meanwhile = async (listener) => {
    tap = listener;
  };
  const views = await Promise.all([acquire({ channels: 'a' }), acquire({ channels: 'a', q: 'none' })]);
  const taken = views.map((view) => {
    const segments: Segment[] = [];
    view.attachViewer({ deliverSegment: (segment) => segments.push(segment) });
    return segments;
  });
  const from = await log.head();
  tap?.onGap({ channel: null, after: from, before: from + 10, reason, missed: null });
  for (const view of views) view.flush(OPTIONS.viewRingBytes);
  for (const segments of taken) expect(segments).toMatchObject([{ from, to: moves ? from + 9 : from }]);
});

it('does not go back with an entry that is older than others', async () => {
  let tap: Listener | undefined;
  meanwhile = async (listener) => {
    tap = listener;
  };
  const view = await acquire({ channels: 'a', q: 'none' });
  await publish('x', 'y');
  const { items } = await log.readPage({ channels: ['a'], after: 0, limit: 1 });
  tap?.onRecord(items[0]?.record as LogRecord);
  expect(view.flushedTo).toBe(await log.head());
});

it('is closed with the hub, also while it opens', async () => {
  await acquire({ channels: 'a' });
  const opening = Promise.withResolvers<void>();
  meanwhile = () => opening.promise;
  const late = acquire({ channels: 'b' });
  hub.close();
  opening.resolve();
  await late;
  expect([made, open]).toEqual([2, 0]);
});

it('one that fails to open fails all that waited for it, and the next is tried anew', async () => {
  meanwhile = async () => {
    throw new BrokerUnavailable('not now');
  };
  const attempts = [acquire({ channels: 'a' }), acquire({ channels: 'a', level: 'warn' })];
  for (const attempt of attempts) await expect(attempt).rejects.toThrow(BrokerUnavailable);
  meanwhile = async () => {};
  await acquire({ channels: 'a' });
  expect([made, hub.views]).toEqual([2, 1]);
});
