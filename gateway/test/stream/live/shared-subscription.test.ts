// A shared subscription serves all views of the same channels: each view gets everything that comes after it has begun.
import type { Broker, Listener } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { gapCounts } from '../../../src/stream/live/gap-counts.ts';
import { Hub, type SharedView } from '../../../src/stream/live/hub.ts';
import type { Segment } from '../../../src/stream/live/segment.ts';
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
/** How many subscriptions were made, and how many are open. */
let made: number;
let open: number;
/** What happens after a subscription has begun and before its caller gets it. */
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
  hub = new Hub(Object.assign(Object.create(log), { subscribe }), OPTIONS, gapCounts());
});
afterEach(async () => {
  hub.close();
  await log.close();
});

const acquire = (query: Record<string, string>) => hub.acquire(parseSelection(query), 'somebody');
const publish = (...msgs: string[]) => log.publish(msgs.map((msg) => line('a', msg, { source: msg })));

const sent = ({ view }: SharedView) => {
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
  for (const shared of many) hub.release(shared);
  expect(open).toBe(2);
  hub.release(one);
  expect(open).toBe(1);
  await acquire({ channels: 'a,b' });
  expect([made, open]).toEqual([3, 2]);
  hub.release(other);
  expect(open).toBe(1);
});

it('gives each view what it wants from its beginning on, and all of them the position that was received', async () => {
  const first = await acquire({ channels: 'a' });
  await publish('x', 'y');
  const second = await acquire({ channels: 'a', source: 'y' });
  expect(second.view.flushedTo).toBe(await log.head());
  await publish('x', 'y', 'z');
  expect([sent(first), sent(second)]).toEqual([5, 1]);
  await publish('x');
  expect(second.view.flushedTo).toBe(await log.head());
  expect(first.view.flushedTo).toBeLessThan(second.view.flushedTo);
});

it('gives nothing more to a view that was released', async () => {
  await acquire({ channels: 'a' });
  const released = await acquire({ channels: 'a', source: 'x' });
  hub.release(released);
  await publish('x');
  expect(sent(released)).toBe(0);
});

it('its views begin after what comes while it opens', async () => {
  meanwhile = () => publish('early');
  const shared = await acquire({ channels: 'a' });
  const { view } = shared;
  expect(view.flushedTo).toBe(await log.head());
  expect(view.isCaughtUp(view.flushedTo - 1)).toBe(false);
  await publish('late');
  expect(sent(shared)).toBe(1);
});

it.each([
  ['trimmed', false],
  ['expired', false],
  ['reset', true],
  ['rollback', true],
] as const)('all views report a gap (%s); it moves the subscription on: %s', async (reason, moves) => {
  let subscription: Listener | undefined;
  meanwhile = async (listener) => {
    subscription = listener;
  };
  const views = await Promise.all([acquire({ channels: 'a' }), acquire({ channels: 'a', q: 'none' })]);
  const delivered = views.map(({ view }) => {
    const segments: Segment[] = [];
    view.attachViewer({ deliverSegment: (segment) => segments.push(segment) });
    return segments;
  });
  const from = await log.head();
  subscription?.onGap({ channel: null, after: from, before: from + 10, reason, missed: null });
  for (const { view } of views) view.flush(OPTIONS.viewRingBytes);
  for (const segments of delivered) expect(segments).toMatchObject([{ from, to: moves ? from + 9 : from }]);
});

it('does not go back with an entry that is older than others', async () => {
  let subscription: Listener | undefined;
  meanwhile = async (listener) => {
    subscription = listener;
  };
  const { view } = await acquire({ channels: 'a', q: 'none' });
  await publish('x', 'y');
  const { items } = await log.readPage({ channels: ['a'], after: 0, limit: 1 });
  subscription?.onRecord(items[0]?.record as LogRecord);
  expect(view.flushedTo).toBe(await log.head());
});

it('is closed with the hub, even while it opens', async () => {
  await acquire({ channels: 'a' });
  const opening = Promise.withResolvers<void>();
  meanwhile = () => opening.promise;
  const late = acquire({ channels: 'b' });
  hub.close();
  opening.resolve();
  await late;
  expect([made, open]).toEqual([2, 0]);
});

it('one that fails to open fails all that wait for it, and the next attempt opens another', async () => {
  meanwhile = async () => {
    throw new BrokerUnavailable('not now');
  };
  const attempts = [acquire({ channels: 'a' }), acquire({ channels: 'a', level: 'warn' })];
  for (const attempt of attempts) await expect(attempt).rejects.toThrow(BrokerUnavailable);
  meanwhile = async () => {};
  await acquire({ channels: 'a' });
  expect([made, hub.views]).toEqual([2, 1]);
});
