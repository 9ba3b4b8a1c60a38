// Bodies that arrive share a bound of memory, and few are worked on at a time.

import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { Arrivals } from '../../src/http/arrivals.ts';

const body = (...chunks: number[]) => {
  const stream = new PassThrough();
  for (const size of chunks) stream.write(Buffer.alloc(size));
  return stream;
};
const sizeOf = async (bytes: Buffer) => bytes.length;

it('a body that does not fit beside the others is refused, and fits once they are gone', async () => {
  const arrivals = new Arrivals(1_000);
  const first = body(900);
  const taken = arrivals.take(first, 1_000, sizeOf);
  await expect(arrivals.take(body(200).end(), 1_000, sizeOf)).rejects.toMatchObject({
    code: 'too_much_arriving',
  });
  first.end();
  expect(await taken).toBe(900);
  expect(await arrivals.take(body(600, 400).end(), 1_000, sizeOf)).toBe(1_000);
});

it('what a refused or broken body held is free again', async () => {
  const arrivals = new Arrivals(1_000);
  await expect(arrivals.take(body(300, 300).end(), 500, sizeOf)).rejects.toMatchObject({
    code: 'body_too_large',
  });
  const broken = body(900);
  const taken = arrivals.take(broken, 1_000, sizeOf);
  broken.destroy();
  await expect(taken).rejects.toMatchObject({ code: 'invalid_request' });
  const failing = arrivals.take(body(900).end(), 1_000, async () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await arrivals.take(body(1_000).end(), 1_000, sizeOf)).toBe(1_000);
});

it('four are worked on at a time, and the others wait their turn', async () => {
  const arrivals = new Arrivals(1_000);
  let working = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++working);
    await new Promise(setImmediate);
    working--;
  };
  await Promise.all(Array.from({ length: 20 }, () => arrivals.take(body(1).end(), 1_000, work)));
  expect(most).toBe(4);
});
