// Raw Snappy: the same bytes as a library's, and nothing that arrives costs more than a stated bound.

import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import fc from 'fast-check';
import snappyjs from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { unsnappy } from '../../src/shippers/snappy.ts';

const MAX = 1_048_576;
const unpacked = (packed: Uint8Array) => unsnappy(Buffer.from(packed), MAX, new TimeSlicer());

it('unpacks what a library has packed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 5_000 }),
        fc
          .array(fc.constantFrom('level=info ', 'msg="x"', '\n', 'a'), { maxLength: 3_000 })
          .map((words) => new Uint8Array(Buffer.from(words.join('')))),
      ),
      async (bytes) => {
        expect(await unpacked(snappyjs.compress(bytes))).toEqual(Buffer.from(bytes));
      },
    ),
    { numRuns: 200 },
  );
});

it('unpacks a text of a mebibyte, and one that repeats itself', async () => {
  for (const text of ['x'.repeat(MAX), 'a line of a program\n'.repeat(52_000)])
    expect((await unpacked(snappyjs.compress(new Uint8Array(Buffer.from(text))))).toString()).toBe(text);
});

describe('is refused:', () => {
  it.each<[string, number[], string]>([
    ['nothing', [], 'invalid_body'],
    ['a length without an end', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80], 'invalid_body'],
    ['a length over the bound', [0x81, 0x80, 0x80, 0x01, 0], 'body_too_large'],
    ['a length that no body of this size has', [0x80, 0x80, 0x40, 0, 0], 'invalid_body'],
    ['fewer bytes than the length says', [5, 0x00, 0x61], 'invalid_body'],
    ['more bytes than the length says', [1, 0x04, 0x61, 0x62], 'invalid_body'],
    ['a literal that ends after the body', [5, 0x10, 0x61], 'invalid_body'],
    ['a copy from before the beginning', [5, 0x00, 0x61, 0x01, 0x02], 'invalid_body'],
    ['a copy from nowhere', [5, 0x00, 0x61, 0x01, 0x00], 'invalid_body'],
    ['a copy that ends after the output', [3, 0x00, 0x61, 0x1d, 0x01], 'invalid_body'],
    ['an element that is cut off', [5, 0x00, 0x61, 0x02], 'invalid_body'],
  ])('%s', async (_, bytes, code) => {
    await expect(unpacked(Uint8Array.from(bytes))).rejects.toMatchObject({ code });
  });

  it('any bytes at all are unpacked or refused, and nothing else happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const outcome = await unpacked(bytes).catch((error: { code: string }) => error.code);
        if (typeof outcome === 'string') expect(['invalid_body', 'body_too_large']).toContain(outcome);
        else expect(outcome).toEqual(Buffer.from(snappyjs.uncompress(Buffer.from(bytes))));
      }),
      { numRuns: 2_000 },
    );
  });
});
