// Frames and chunks as bytes: an independent parser reads them back, and no text can forge one.
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { Chunk } from '../../../src/stream/wire/chunk.ts';
import { controlFrame, gapFrame } from '../../../src/stream/wire/frame.ts';

const N = 1_795_224_320_113_456;

const record = (msg: string, n = N): LogRecord => {
  const head = n === 0 ? null : { n, prev: 0 };
  const { body } = line('a', msg);
  return new LogRecord('a', Buffer.from(head ? writeHead(n, 'abcdefgh', 0) + body.slice(1) : body), head);
};

const parse = (bytes: Buffer): EventSourceMessage[] => {
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  parser.feed(bytes.toString('utf8'));
  return events;
};

describe('frames', () => {
  it("any text is one unnamed event with the entry's id and its exact bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (msg) => {
        const one = record(msg);
        const events = parse(Chunk.of([one]).body);
        expect(events).toEqual([{ id: one.id, event: undefined, data: one.data.toString('utf8') }]);
        expect(JSON.parse(events[0]?.data ?? '').msg).toBe(msg.toWellFormed());
      }),
    );
  });

  it('an entry that is not stored has no id, so that no cursor moves', () => {
    expect(parse(Chunk.of([record('x', 0)]).body)).toEqual([
      { id: undefined, event: undefined, data: record('x', 0).data.toString() },
    ]);
  });

  it('a gap in which entries of other channels may lie has no id, so that no cursor moves', () => {
    const gap = { channel: 'a', after: 5_000, before: 9_001, reason: 'trimmed' as const, missed: null };
    const [frame] = parse(gapFrame(gap));
    expect(frame).toMatchObject({ event: 'gap' });
    expect(frame?.id).toBeUndefined();
    expect(JSON.parse(frame?.data ?? '')).toEqual({
      channel: 'a',
      after: '5-5000',
      before: '9-9001',
      reason: 'trimmed',
      missed: null,
    });
    for (const reason of ['reset', 'rollback', 'scan_limit', 'not_stored'] as const)
      expect(parse(gapFrame({ ...gap, reason }))[0]?.id).toBe('9-9000');
  });

  it('a control frame has its name, id and retry', () => {
    expect(controlFrame('bye', null, { code: 'expired', message: 'y' }, 5.7).toString()).toBe(
      'retry: 5\nevent: bye\ndata: {"code":"expired","message":"y"}\n\n',
    );
    expect(controlFrame('live', 2_000, { replayed: 3 }).toString()).toBe(
      'event: live\nid: 2-2000\ndata: {"replayed":3}\n\n',
    );
  });
});

const frameOf = ({ id, data }: LogRecord) =>
  Buffer.concat([Buffer.from(`${id === null ? '' : `id: ${id}\n`}data: `), data, Buffer.from('\n\n')]);

const part = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }),
  fc
    .record({ msg: fc.string({ unit: 'binary' }), n: fc.constantFrom(0, N) })
    .map(({ msg, n }) => record(msg, n)),
);

describe('chunks', () => {
  it('are framed with their size, and the bare body lies in the same memory', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), (parts) => {
        const { framed, body } = Chunk.of(parts);
        const whole = Buffer.concat(parts.map((one) => (one instanceof LogRecord ? frameOf(one) : one)));
        expect(body.equals(whole)).toBe(true);
        expect(
          framed.equals(
            Buffer.concat([Buffer.from(`${whole.length.toString(16)}\r\n`), whole, Buffer.from('\r\n')]),
          ),
        ).toBe(true);
        expect(body.buffer).toBe(framed.buffer);
      }),
    );
  });
});
