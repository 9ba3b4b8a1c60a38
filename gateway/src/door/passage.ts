// Passes an answer on: each piece at once and as it is, as fast as the client takes it. A copy goes to whoever reads along.

import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

/**
 * `whole`: the client has all of it. `gone`: the client went away, or took nothing for too long. `broken`: the service's connection broke
 * off, and so does the client's, as it would without the door.
 */
export type PassageEnd = 'whole' | 'gone' | 'broken';

/** @param stallMs how long the client may take nothing; 0 for any time. @param onPiece must not throw. */
export function passOn(
  body: Readable,
  response: ServerResponse,
  stallMs: number,
  onPiece: (piece: Buffer) => void,
): Promise<PassageEnd> {
  const { promise, resolve } = Promise.withResolvers<PassageEnd>();
  let stalled: NodeJS.Timeout | undefined;
  body.on('data', (piece: Buffer) => {
    const isTaken = response.write(piece);
    onPiece(piece);
    if (isTaken) return;
    body.pause();
    if (stallMs > 0) stalled ??= setTimeout(() => response.destroy(), stallMs);
  });
  response.on('drain', () => {
    clearTimeout(stalled);
    stalled = undefined;
    body.resume();
  });
  body.once('end', () => response.end());
  const breakOff = () => {
    if (body.readableEnded) return;
    resolve('broken');
    response.destroy();
  };
  body.once('error', breakOff);
  body.once('close', breakOff);
  response.once('finish', () => resolve('whole'));
  response.once('close', () => {
    clearTimeout(stalled);
    resolve(response.writableFinished ? 'whole' : 'gone');
    body.destroy();
  });
  response.once('error', () => response.destroy());
  return promise;
}
