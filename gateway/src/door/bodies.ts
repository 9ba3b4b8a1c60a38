// Memory for the bodies of calls: how many bytes one may have, and how many all may have that are on their way to a service.

import type { Readable } from 'node:stream';
import { CodedError } from '@llm-streamer/shared/errors.ts';

/** A long conversation with a few pictures. */
export const MAX_BODY_BYTES = 33_554_432;
const MAX_HELD_BYTES = 134_217_728;

export interface HeldBody {
  bytes: Buffer;
  /** To be called once, when the body is not needed any more. */
  release(): void;
}

export class Bodies {
  #held = 0;

  /** @throws CodedError `body_too_large`, `too_much_arriving`, or `invalid_request` if the client breaks off */
  take(body: Readable): Promise<HeldBody> {
    const { promise, resolve, reject } = Promise.withResolvers<HeldBody>();
    const pieces: Buffer[] = [];
    let size = 0;
    let isOver = false;
    const stop = (error: Error) => {
      if (isOver) return;
      isOver = true;
      this.#held -= size;
      // What is not read is left to the server, which drops it once the answer is sent.
      body.off('data', add);
      body.resume();
      reject(error);
    };
    const add = (piece: Buffer) => {
      if (size + piece.length > MAX_BODY_BYTES)
        return stop(new CodedError('body_too_large', `at most ${MAX_BODY_BYTES} bytes`));
      if (this.#held + piece.length > MAX_HELD_BYTES)
        return stop(new CodedError('too_much_arriving', 'too many large calls at a time; send it again'));
      size += piece.length;
      this.#held += piece.length;
      pieces.push(piece);
    };
    body.on('data', add);
    body.once('end', () => {
      if (isOver) return;
      isOver = true;
      resolve({
        bytes: Buffer.concat(pieces),
        release: () => {
          this.#held -= size;
        },
      });
    });
    // Where it found no room beside the bodies of other routes, its error says so.
    const cutOff = () =>
      stop(
        body.errored instanceof CodedError
          ? body.errored
          : new CodedError('invalid_request', 'the request ended before its body'),
      );
    if (body.destroyed && !body.readableEnded) cutOff();
    body.once('error', cutOff);
    body.once('close', cutOff);
    return promise;
  }
}
