// What the load client counts is what came, however the network cut it up, and a loss that nobody names is seen.
import { describe, expect, it } from 'vitest';
import { EntryText, nowMicroseconds } from '../../bench/entry-text.ts';
import { Histogram } from '../../bench/histogram.ts';
import { ChunkedBody } from '../../bench/load/chunked-body.ts';
import { EntryScanner } from '../../bench/load/entry-scanner.ts';

const text = new EntryText({ channel: 'bench', source: 'bench' }, 200);
const frame = (number: number) => `data: ${text.body(Date.now(), nowMicroseconds(), number)}\n\n`;
const chunk = (content: string) => `${content.length.toString(16)}\r\n${content}\r\n`;
const gap = (missed: number | null) => `event: gap\ndata: {"channel":null,"missed":${missed}}\n\n`;

/** What a viewer makes of a response that comes in pieces of `size` bytes. */
function read(response: string, size: number) {
  const body = new ChunkedBody();
  const scanner = new EntryScanner(new Histogram());
  const data = Buffer.from(response, 'latin1');
  for (let at = 0; at < data.length; at += size) {
    const piece = data.subarray(at, at + size);
    body.read(piece, piece.length, (bytes) => scanner.feed(bytes));
  }
  return { body, scanner };
}

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

describe('an entry of the benchmark', () => {
  it('is as long as asked, and JSON', () => {
    for (const bytes of [200, 400, 4_000]) {
      const body = new EntryText({ channel: 'bench:999', source: 'writer-7' }, bytes).body(
        Date.now(),
        nowMicroseconds(),
        123,
      );
      expect(body).toHaveLength(bytes);
      expect(JSON.parse(body)).toMatchObject({ channel: 'bench:999', source: 'writer-7', level: 'info' });
    }
  });
});

describe('the load client', () => {
  it.each([1, 2, 7, 64, 211, 1_000_000])('counts alike whatever the pieces: %i bytes', (size) => {
    const content = [frame(1) + frame(2), frame(3), gap(4), frame(8), gap(null)];
    const { body, scanner } = read(HEAD + content.map(chunk).join(''), size);
    expect(body.head).toContain('200 OK');
    expect([body.chunks, body.bytes]).toEqual([content.length, content.join('').length]);
    const { entries, lost, repeated, gaps, missed, unknown } = scanner;
    expect({ entries, lost, repeated, gaps, missed, unknown }).toEqual({
      entries: 4,
      lost: 4,
      repeated: 0,
      gaps: 2,
      missed: 4,
      unknown: 1,
    });
  });

  it('sees what is lost, repeated or out of order', () => {
    const { scanner } = read(HEAD + chunk([1, 2, 5, 4, 5, 6].map(frame).join('')), 100);
    expect([scanner.entries, scanner.lost, scanner.repeated]).toEqual([6, 2, 2]);
  });
});

describe('the histogram', () => {
  it('gives percentiles within two percent', () => {
    const histogram = new Histogram();
    for (let i = 1; i <= 100_000; i++) histogram.record(i);
    for (const share of [0.1, 0.5, 0.99]) {
      const exact = share * 100;
      expect(Math.abs(histogram.percentile(share) - exact) / exact).toBeLessThan(0.02);
    }
    expect(new Histogram().percentile(0.5)).toBeNaN();
  });
});
