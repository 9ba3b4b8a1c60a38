// Bodies that are compressed by the names of HTTP. What comes out has a bound, which holds while it is unpacked.

import { promisify } from 'node:util';
import { gunzip, inflate, zstdDecompress } from 'node:zlib';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';

/** Decoded at once. */
const PIECE = 65_536;

const unpackers = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  zstd: promisify(zstdDecompress),
} as const;

export type Packing = 'identity' | keyof typeof unpackers;
export const PACKINGS = Object.keys(unpackers) as readonly Packing[];

/**
 * @param more the code for what is not packed so, and the environment variable that sets `maxBytes`, if there is one
 * @throws CodedError `body_too_large`, or that code
 */
export async function unpack(
  body: Buffer,
  packing: Packing,
  maxBytes: number,
  more: { code?: string; variable?: string } = {},
): Promise<Buffer> {
  if (packing === 'identity' || body.length === 0) return body;
  try {
    return await unpackers[packing](body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(maxBytes, more.variable);
    throw new CodedError(more.code ?? 'invalid_body', `the body is not ${packing}`);
  }
}

/** Its text, as `toString` gives it. 16 MiB that are no UTF-8 would hold the event loop for a quarter of a second. */
export async function textOf(body: Buffer, slicer: TimeSlicer): Promise<string> {
  if (body.length <= PIECE) return body.toString('utf8');
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  for (let at = 0; at < body.length; at += PIECE) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    text += decoder.decode(body.subarray(at, at + PIECE), { stream: true });
  }
  return text + decoder.decode();
}

export function tooLarge(maxBytes: number, variable?: string): CodedError {
  const setting = variable === undefined ? '' : ` (${variable})`;
  return new CodedError('body_too_large', `unpacked, the body is over ${maxBytes} bytes${setting}`);
}
