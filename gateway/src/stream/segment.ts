// What a view sends in one flush: frames joined into one buffer with its HTTP chunk framing, shared by all its viewers.

import type { Position } from '@llm-streamer/shared/broker/position.ts';

export interface Segment {
  /** Holds every entry of the view after `from` and up to `to`; a viewer anywhere in `from`…`first` may take it. */
  from: Position;
  first: Position;
  to: Position;
  /** The view's count of entries that are not in the log, before and after this segment. */
  unnumberedBefore: number;
  unnumberedAfter: number;
  chunk: Chunk;
}

/** One HTTP/1.1 chunk; `body` is its content, for HTTP/1.0 viewers. */
export interface Chunk {
  framed: Buffer;
  body: Buffer;
}

const CRLF = 2;

/** Joins frames into one chunk: one allocation, and one copy of each frame. */
export function joinFrames(frames: readonly Buffer[]): Chunk {
  let bytes = 0;
  for (const { length } of frames) bytes += length;
  const size = `${bytes.toString(16)}\r\n`;
  const framed = Buffer.allocUnsafe(size.length + bytes + CRLF);
  let at = framed.write(size, 0, 'latin1');
  for (const frame of frames) {
    framed.set(frame, at);
    at += frame.length;
  }
  framed[at] = 0x0d;
  framed[at + 1] = 0x0a;
  return { framed, body: framed.subarray(size.length, at) };
}

/** The chunk that ends a chunked body. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n');
