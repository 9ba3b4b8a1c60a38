// A body as a whole, or why there is none.

import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { readBody } from '../../src/http/read-body.ts';

const request = (...pieces: number[]) => {
  const raw = new PassThrough();
  for (const size of pieces) raw.write(Buffer.alloc(size));
  return { raw };
};

it('is read up to its limit, in however many pieces it comes', async () => {
  const { raw } = request(300, 700);
  raw.end();
  expect(await readBody({ raw }, 1_000)).toHaveLength(1_000);
});

it('is refused over its limit, by the name of the variable that sets it, and the rest is dropped', async () => {
  const { raw } = request(300, 300);
  await expect(readBody({ raw }, 500, 'OTLP_BODY_BYTES')).rejects.toMatchObject({
    code: 'body_too_large',
    message: 'at most 500 bytes (OTLP_BODY_BYTES)',
  });
  const ended = new Promise((resolve) => raw.once('end', resolve));
  raw.end(Buffer.alloc(1_000));
  await ended;
});

it('that breaks off is refused, whether before it is read or while', async () => {
  const before = request(900);
  before.raw.destroy();
  await expect(readBody(before, 1_000)).rejects.toMatchObject({ code: 'invalid_request' });
  const meanwhile = request(900);
  const read = readBody(meanwhile, 1_000);
  meanwhile.raw.destroy();
  await expect(read).rejects.toMatchObject({ code: 'invalid_request' });
});
