// Reads the whole body of a request, for routes that have their own limit and their own form of errors. How much all bodies may take
// together is bounded before that: see plugins/arriving-bodies.ts.

import type { Readable } from 'node:stream';
import { PACKINGS, type Packing } from '../shippers/unpack.ts';
import { HttpError } from './errors.ts';

/** What a body is read from: `body` is undefined where the request says that it has none. */
export interface BodySource {
  body?: unknown;
  raw: Readable;
}

/**
 * The server drops what is not read once the answer is sent: a destroyed body would end the connection first.
 * @param variable the environment variable that sets `maxBytes`, if there is one
 * @throws HttpError `body_too_large`, `invalid_request` if the client breaks off, or why there was no room for it
 */
export function readBody({ body, raw }: BodySource, maxBytes: number, variable?: string): Promise<Buffer> {
  const from = (body as Readable | undefined) ?? raw;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cutOff = () =>
    reject(
      from.errored instanceof HttpError
        ? from.errored
        : new HttpError('invalid_request', 'the request ended before its body'),
    );
  if (from.destroyed && !from.readableEnded) {
    cutOff();
    return promise;
  }
  const pieces: Buffer[] = [];
  let size = 0;
  const add = (piece: Buffer) => {
    size += piece.length;
    pieces.push(piece);
    if (size <= maxBytes) return;
    from.off('data', add);
    from.resume();
    pieces.length = 0;
    const setting = variable === undefined ? '' : ` (${variable})`;
    reject(
      new HttpError('body_too_large', `at most ${maxBytes} bytes${setting}`, {
        headers: { connection: 'close' },
      }),
    );
  };
  from.on('data', add);
  from.once('end', () => resolve(Buffer.concat(pieces)));
  from.once('error', cutOff);
  from.once('close', cutOff);
  return promise;
}

/** @throws HttpError `unsupported_encoding`: the body is packed in a way that is not one of `allowed` */
export function packingOf(
  contentEncoding: string | undefined,
  allowed: readonly Packing[] = PACKINGS,
): Packing {
  const named = (contentEncoding ?? '').trim().toLowerCase() || 'identity';
  const packing = [...allowed, 'identity' as const].find((one) => one === named);
  if (packing !== undefined) return packing;
  const names = allowed.join(', ');
  throw new HttpError('unsupported_encoding', `compress with ${names}, or not at all`, {
    field: 'Content-Encoding',
    headers: { 'accept-encoding': `${names}, identity` },
  });
}
