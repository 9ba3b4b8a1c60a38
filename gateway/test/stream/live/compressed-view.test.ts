// A compressed view: a viewer that begins to lag while a segment is compressed finds the segment in the view.
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import { expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { CompressedView } from '../../../src/stream/live/compressed-view.ts';
import { gapCounts } from '../../../src/stream/live/gap-counts.ts';
import type { Segment } from '../../../src/stream/live/segment.ts';
import { SharedSubscription } from '../../../src/stream/live/shared-subscription.ts';
import { View } from '../../../src/stream/live/view.ts';

const START = 1_795_224_320_113_000;
const AMPLE = 1_048_576;

it('a segment is kept until its compressed form has been delivered, and no longer', async () => {
  const subscribe: Broker['subscribe'] = async () => ({ from: START, close: () => {} });
  const subscription = new SharedSubscription(['a'], { subscribe } as Broker);
  const view = new View({ channels: ['a'] }, subscription, () => {}, gapCounts());
  await subscription.addView(view);
  const compressed = new CompressedView(view, 50);
  const emit = (n: number) => {
    const body = line('a', `${n}`).body.slice(1);
    subscription.onRecord(
      new LogRecord('a', Buffer.from(writeHead(n, 'abcdefgh', 0) + body), { n, prev: 0 }),
    );
    view.flush(AMPLE);
  };
  const { promise: delivered, resolve } = Promise.withResolvers<Segment | undefined>();
  compressed.attachViewer({ deliverSegment: ({ from }) => resolve(view.segmentAfter(from)) });
  emit(START + 1);
  emit(START + 2);
  expect((await delivered)?.from).toBe(START);
  await eventually('nothing kept', () => view.segmentAfter(START) === undefined);
  emit(START + 3);
  compressed.close();
  expect(view.segmentAfter(START)).toBeUndefined();
});
