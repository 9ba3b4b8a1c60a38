// An independent parser reads exactly one event for each call, whatever its text is, and no text forges a field.
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SseFrame, sseFrame } from '../src/sse.ts';

interface Heard {
  events: EventSourceMessage[];
  retries: number[];
  comments: string[];
  errors: string[];
}

/** What a client receives if the text arrives in chunks of `step` characters. */
function hear(wire: string, step = wire.length): Heard {
  const heard: Heard = { events: [], retries: [], comments: [], errors: [] };
  const parser = createParser({
    onEvent: (event) => heard.events.push(event),
    onRetry: (ms) => heard.retries.push(ms),
    onComment: (comment) => heard.comments.push(comment),
    onError: (error) => heard.errors.push(error.message),
  });
  for (let at = 0; at < wire.length; at += step) parser.feed(wire.slice(at, at + step));
  return heard;
}

// Texts that are likely to hold what could break out of a frame.
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\n',
        '\r',
        '\r\n',
        '\n\n',
        '\r\r',
        'event: forged',
        'data: x',
        'id: 9',
        ': comment',
        'retry: 1',
      ),
      fc.constantFrom('\0', '\u2028', '\u2029', '\u0085', '\ufeff', ' ', ':', '</script>', '\ud800'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));
const label = hostile.map((text) => text.replaceAll(/[\r\n\0]/g, '')).filter((text) => text !== '');

const asHeard = (data: string) => data.replaceAll(/\r\n|\r/g, '\n');

describe('sseFrame', () => {
  it('comes out of an independent parser as it went in, for any text', () => {
    fc.assert(
      fc.property(hostile, label, label, fc.nat(100), (data, event, id, retry) => {
        const { events, retries, comments, errors } = hear(sseFrame({ event, id, retry, data }));
        expect({ events, retries, comments, errors }).toEqual({
          events: [{ event, id, data: asHeard(data) }],
          retries: [retry],
          comments: [],
          errors: [],
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps its neighbors apart, however the network cuts the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(hostile, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        (texts, step) => {
          const wire = texts.map((data, i) => sseFrame({ id: `${i}`, data })).join('');
          expect(hear(wire, step).events).toEqual(
            texts.map((data, i) => ({ event: undefined, id: `${i}`, data: asHeard(data) })),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('carries JSON on one data line, so that its text comes back unchanged', () => {
    fc.assert(
      fc.property(hostile, (msg) => {
        const frame = sseFrame({ data: JSON.stringify({ msg }) });
        expect(frame.split('\n')).toHaveLength(3);
        expect(JSON.parse(hear(frame).events[0]?.data ?? '')).toEqual({ msg });
      }),
    );
  });

  it.each(['a\nevent: forged', 'a\rdata: x', 'a\r\n\r\n', '\n', 'a\0'])(
    'refuses %j as an event or an id',
    (text) => {
      expect(() => sseFrame({ event: text, data: 'x' })).toThrow(RangeError);
      expect(() => sseFrame({ id: text, data: 'x' })).toThrow(RangeError);
    },
  );

  it('can set the retry time, or the cursor, without an event', () => {
    const bare: SseFrame = { retry: 3000.7 };
    expect(sseFrame(bare)).toBe('retry: 3000\n\n');
    expect(hear(sseFrame({ retry: 3000, id: '5-6' })).events).toEqual([]);
  });

  it('has the form that the documentation shows', () => {
    expect(sseFrame({ event: 'ping', id: '1-2', data: '{"now":1}' })).toBe(
      'event: ping\nid: 1-2\ndata: {"now":1}\n\n',
    );
  });
});
