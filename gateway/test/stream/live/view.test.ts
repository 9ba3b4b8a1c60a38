// A view filters, counts and joins once for all its viewers, and keeps what those who lag will read.
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { gapCounts } from '../../../src/stream/live/gap-counts.ts';
import type { Segment } from '../../../src/stream/live/segment.ts';
import { SharedSubscription } from '../../../src/stream/live/shared-subscription.ts';
import { View } from '../../../src/stream/live/view.ts';
import type { Selection } from '../../../src/stream/query/query.ts';

const START = 1_795_224_320_113_000;
const AMPLE = 1_048_576;

const record = (offset: number, level: 'info' | 'error' = 'info'): LogRecord => {
  const n = START + offset;
  const data = Buffer.from(writeHead(n, 'abcdefgh', 0) + line('a', `${offset}`, { level }).body.slice(1));
  return new LogRecord('a', data, { n, prev: 0 });
};

/** A live view, and the subscription that feeds it. */
const makeView = async (selection: Partial<Selection> = {}) => {
  let wanted = 0;
  const subscribe: Broker['subscribe'] = async () => ({ from: START, close: () => {} });
  const subscription = new SharedSubscription(['a'], { subscribe } as Broker);
  const view = new View({ channels: ['a'], ...selection }, subscription, () => wanted++, gapCounts());
  await subscription.addView(view);
  return { view, subscription, wanted: () => wanted };
};

const join = (view: View): Segment[] => {
  const delivered: Segment[] = [];
  view.attachViewer({ deliverSegment: (segment) => delivered.push(segment) });
  return delivered;
};

describe('a view', () => {
  it('asks for one flush for many entries, and hands the same segment to all viewers', async () => {
    const { view, subscription, wanted } = await makeView();
    const [one, two] = [join(view), join(view)];
    for (let i = 1; i <= 5; i++) subscription.onRecord(record(i));
    expect(wanted()).toBe(1);
    view.flush(AMPLE);
    expect(one).toHaveLength(1);
    expect(one[0]).toBe(two[0]);
    view.flush(AMPLE);
    expect(one).toHaveLength(1);
  });

  it('moves on over entries that its filter does not pass, and sends nothing of them', async () => {
    const { view, subscription, wanted } = await makeView({ level: 'error' });
    const delivered = join(view);
    for (let i = 1; i <= 5; i++) subscription.onRecord(record(i));
    expect(wanted()).toBe(0);
    expect(view.flushedTo).toBe(START + 5);
    subscription.onRecord(record(6, 'error'));
    subscription.onRecord(record(7));
    expect(view.flushedTo).toBe(START + 5); // it stays here until the sixth has been flushed
    view.flush(AMPLE);
    expect(delivered[0]).toMatchObject({ from: START + 5, to: START + 7 });
    expect(view.flushedCount).toBe(1);
  });

  it('counts in a ping the entries before the ping', async () => {
    const { view, subscription } = await makeView();
    const delivered = join(view);
    subscription.onRecord(record(1));
    subscription.onRecord(record(2));
    view.ping(5);
    subscription.onRecord(record(3));
    view.flush(AMPLE);
    expect(delivered[0]?.chunk.body.toString()).toContain('data: {"now":5,"count":2}');
    expect(view.flushedCount).toBe(3);
  });

  it('has segments that touch, whatever comes between the flushes', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('entry' as const), by: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ kind: fc.constant('position' as const), by: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ kind: fc.constantFrom('flush' as const, 'ping' as const), by: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        const { view, subscription } = await makeView();
        view.pinSegments({});
        const delivered = join(view);
        let at = 0;
        subscription.onAdvance(START);
        for (const { kind, by } of steps) {
          at += by;
          if (kind === 'entry') subscription.onRecord(record(at));
          else if (kind === 'position') subscription.onAdvance(START + at);
          else if (kind === 'ping') view.ping(0);
          else view.flush(AMPLE);
        }
        view.flush(AMPLE);
        for (const [i, { from, to }] of delivered.entries()) {
          expect(to).toBeGreaterThanOrEqual(from);
          expect(from).toBeGreaterThanOrEqual(delivered[i - 1]?.to ?? 0);
        }
        // A viewer at any cursor gets the first segment after it, and none that repeats or skips entries.
        for (const { from, to } of delivered) {
          expect(view.segmentAfter(from)?.to ?? Infinity).toBeGreaterThan(from);
          if (to === from) continue;
          expect(view.segmentAfter(from)?.from).toBe(from);
          expect(view.segmentAfter(from + 1)?.from ?? Infinity).toBeGreaterThan(from);
        }
        expect(view.segmentAfter((delivered.at(-1)?.from ?? 0) + 1)).toBeUndefined();
        expect(view.isCaughtUp(delivered.at(-1)?.to ?? START)).toBe(true);
      }),
    );
  });

  it('keeps no segment while all viewers are live, and every one from that with which a viewer begins to lag', async () => {
    const { view, subscription } = await makeView();
    const delivered = join(view);
    const slow = { deliverSegment: () => view.pinSegments(slow) };
    for (let i = 1; i <= 4; i++) {
      if (i === 2) view.attachViewer(slow);
      subscription.onRecord(record(i));
      view.flush(AMPLE);
    }
    expect(view.segmentAfter(START)?.from).toBe(delivered[1]?.from);
    const other = {};
    view.pinSegments(other);
    view.unpinSegments(slow);
    expect(view.segmentAfter(START)?.from).toBe(delivered[1]?.from);
    view.unpinSegments(other);
    expect(view.segmentAfter(START)).toBeUndefined();
  });
});
