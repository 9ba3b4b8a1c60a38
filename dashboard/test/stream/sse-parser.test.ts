import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseParser } from '../../src/stream/sse-parser.ts';
import type { Frame } from '../../src/stream/wire.ts';

function parseInChunks(text: string, cuts: readonly number[]): Frame[] {
  const parser = new SseParser();
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  const frames: Frame[] = [];
  let from = 0;
  for (const to of [...places, text.length]) {
    frames.push(...parser.push(text.slice(from, to)));
    from = to;
  }
  return frames;
}

const line = fc.oneof(
  fc.constantFrom(
    'data: a',
    'data:b',
    'data',
    'event: ping',
    'id: 5-6',
    'id',
    ': comment',
    '',
    '',
    'retry: 20',
    'other: x',
  ),
  fc.string({ maxLength: 12 }).map((text) => text.replace(/[\r\n\0]/g, '')),
);
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r\n', '\r')), { maxLength: 40 })
  .map((lines) => lines.map(([text, end]) => text + end).join(''));

describe('the SSE parser', () => {
  it('reads any stream like an independent parser, whatever its chunks', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (text, cuts) => {
        // After a CR at the very end, the parsers differ until they know whether an LF follows; so line ends are added.
        const whole = `${text}\n\n`;
        const expected: Frame[] = [];
        const independent = createParser({
          onEvent: ({ event, data }) => expected.push({ event: event ?? '', data }),
        });
        independent.feed(whole);
        const seen = parseInChunks(whole, cuts).map(({ event, data }) => ({ event, data }));
        expect(seen).toEqual(expected);
      }),
    );
  });

  it('ends a frame at the second line end, if each of CR, LF and LF comes alone', () => {
    const parser = new SseParser();
    const frames = ['data: a\r', '\n', '\n', 'data: b\n\n'].flatMap((chunk) => parser.push(chunk));
    expect(frames.map(({ data }) => data)).toEqual(['a', 'b']);
  });

  it('keeps the last id after frames without one, and gives no id to those frames', () => {
    const parser = new SseParser();
    const frames = parser.push('id: 1-2\ndata: a\n\ndata: b\n\n');
    expect(frames).toEqual([
      { event: '', id: '1-2', data: 'a' },
      { event: '', data: 'b' },
    ]);
    expect(parser.lastId).toBe('1-2');
  });

  it('drops half a frame after a lost connection', () => {
    const parser = new SseParser();
    parser.push('id: 1-2\ndata: whole\n\nid: 1-3\ndata: ha');
    parser.reset();
    expect(parser.lastId).toBe('1-2');
    expect(parser.push('data: next\n\n')).toEqual([{ event: '', data: 'next' }]);
  });
});
