// Parts that were compressed by themselves, and parts of a shared sequence from any reset on, form one gzip stream for an
// independent decoder.
import { constants, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deflater, deflateApart, GZIP_HEADER, storedBlock } from '../../../src/stream/wire/gzip.ts';

const decode = (parts: readonly Uint8Array[]) =>
  gunzipSync(Buffer.concat([GZIP_HEADER, ...parts]), { finishFlush: constants.Z_SYNC_FLUSH });

const part = fc.record({
  kind: fc.constantFrom('stored', 'apart'),
  text: fc.oneof(
    fc.string(),
    fc.integer({ min: 0, max: 60_000 }).map((length) => 'log '.repeat(length / 4)),
  ),
});

describe('a gzip stream', () => {
  it('of parts that were compressed by themselves gives their texts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const made = parts.map(({ kind, text }) =>
          kind === 'stored' ? storedBlock(Buffer.from(text)) : deflateApart(Buffer.from(text)),
        );
        expect(decode(await Promise.all(made)).toString()).toBe(parts.map(({ text }) => text).join(''));
      }),
      { numRuns: 50 },
    );
  });

  it('can continue with a shared sequence from any of its resets on, after parts of its own', async () => {
    const deflater = new Deflater();
    const texts = Array.from({ length: 40 }, (_, i) => `{"id":"${i}","msg":"the same words ${i % 7}"}\n\n`);
    const shared: Buffer[] = [];
    for (const [i, text] of texts.entries()) {
      if (i % 10 === 0) deflater.reset();
      shared.push(Buffer.concat(await deflater.deflate(Buffer.from(text))));
    }
    deflater.close();
    for (const from of [0, 10, 20, 30]) {
      const own = storedBlock(Buffer.from('event: hello\n\n'));
      expect(decode([own, ...shared.slice(from)]).toString()).toBe(
        `event: hello\n\n${texts.slice(from).join('')}`,
      );
    }
    // Referring back to earlier parts is what makes a shared sequence smaller.
    expect(shared[5]?.length).toBeLessThan((await deflateApart(Buffer.from(texts[5] as string))).length / 2);
  });

  it('refuses to store what does not fit into one block', () => {
    expect(() => storedBlock(Buffer.alloc(65_536))).toThrow(RangeError);
    expect(decode([storedBlock(Buffer.alloc(65_535, 'x'))])).toHaveLength(65_535);
  });
});
