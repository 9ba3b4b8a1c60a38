// Lines are the same wherever their bytes are cut into chunks, and an endless line takes bounded memory.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../src/pipe/line-splitter.ts';

/** All lines of a text that arrives cut at the given places. */
function split(bytes: Uint8Array, cuts: readonly number[] = []): string[] {
  const splitter = new LineSplitter();
  const lines: string[] = [];
  let start = 0;
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)) {
    lines.push(...splitter.splitChunk(bytes.subarray(start, end)));
    start = end;
  }
  return [...lines, ...splitter.splitRest()];
}

const bytes = (text: string) => Buffer.from(text);

describe('LineSplitter', () => {
  it('gives the same lines wherever the chunks are cut', () => {
    const character = fc.constantFrom('a', ' ', '\n', '\r', '\r\n', 'ü', '漢', '🎉', '\x1b[31m');
    const text = fc.array(character, { maxLength: 60 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(500), { maxLength: 8 }), (whole, cuts) => {
        expect(split(bytes(whole), cuts)).toEqual(split(bytes(whole)));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same text for invalid UTF-8 wherever the chunks are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 8 }), (junk, cuts) => {
        expect(split(junk, cuts)).toEqual(split(junk));
      }),
    );
  });

  it('splits at line ends of Unix and Windows, the last line with or without one', () => {
    expect(split(bytes('one\ntwo\r\n\nfour'))).toEqual(['one', 'two', '', 'four']);
    expect(split(bytes('one\n'))).toEqual(['one']);
    expect(split(bytes(''))).toEqual([]);
  });

  it('replaces invalid UTF-8 and keeps what is around it', () => {
    expect(split(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe6, 0xbc]))).toEqual(['a\uFFFDb', '\uFFFD']);
  });

  it('collapses a progress bar to its last state, across chunks', () => {
    const bar = bytes('\r  0%|   | 0/4\r 50%|#  | 2/4\r100%|###| 4/4\nnext\n');
    expect(split(bar, [...bar.keys()])).toEqual(['100%|###| 4/4', 'next']);
    expect(split(bytes('shown\r\r\n'))).toEqual(['shown']);
  });

  it('holds a bounded part of an endless line and says how long it was', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.alloc(65_536, 'ü');
    for (let i = 0; i < 160; i++) expect(splitter.splitChunk(chunk)).toEqual([]);
    const [line = '', next] = splitter.splitChunk(bytes('\nnext\n'));
    expect(line.length).toBeLessThan(300_000);
    expect(line).toMatch(/^ü+… \[cut: 10485760 bytes\]$/);
    expect(next).toBe('next');
  });

  it('forgets a long line that a carriage return overwrote', () => {
    const long = Buffer.alloc(2_000_000, 'x');
    expect(split(Buffer.concat([long, bytes('\rdone\n')]), [500_000, 1_500_000])).toEqual(['done']);
  });
});
