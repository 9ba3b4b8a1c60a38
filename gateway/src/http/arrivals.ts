// Memory for bodies that arrive: how many bytes may be on their way at a time, and how many requests are worked on at a time. A request
// that finds no room is answered that it may come again.

import type { Readable } from 'node:stream';
import { HttpError } from './errors.ts';

/** Requests whose bodies are unpacked and parsed at a time: each may take several times the bytes of its body. */
const MAX_WORKING = 4;

export class Arrivals {
  readonly #maxBytes: number;
  readonly #setting: string;
  #bytes = 0;
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param variable the environment variable that says how large a body may be, if there is one */
  constructor(maxBytes: number, variable?: string) {
    this.#maxBytes = maxBytes;
    this.#setting = variable === undefined ? '' : ` (${variable})`;
  }

  /** Reads a body, and has room for it while `work` lasts. @throws HttpError `body_too_large` or `too_much_arriving` */
  async hold<T>(body: Readable, maxBody: number, work: (body: Buffer) => Promise<T>): Promise<T> {
    const held = { bytes: 0 };
    try {
      return await work(await this.#read(body, maxBody, held));
    } finally {
      this.#bytes -= held.bytes;
    }
  }

  /** The same for work that takes several times the bytes of the body: it waits for its turn. */
  take<T>(body: Readable, maxBody: number, work: (body: Buffer) => Promise<T>): Promise<T> {
    return this.hold(body, maxBody, async (whole) => {
      await this.#turn();
      try {
        return await work(whole);
      } finally {
        this.#working--;
        this.#waiting.shift()?.();
      }
    });
  }

  /** Leaves what is not read to the server, which drops it once the answer is sent: a destroyed body would end the connection first. */
  #read(body: Readable, maxBody: number, held: { bytes: number }): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const cutOff = () =>
      // Where it found no room, its error says so.
      reject(
        body.errored instanceof HttpError
          ? body.errored
          : new HttpError('invalid_request', 'the request ended before its body'),
      );
    if (body.destroyed && !body.readableEnded) {
      cutOff();
      return promise;
    }
    const chunks: Buffer[] = [];
    const stop = (error: Error) => {
      body.off('data', onData);
      body.resume();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      if (held.bytes + chunk.length > maxBody)
        return stop(
          new HttpError('body_too_large', `at most ${maxBody} bytes${this.#setting}`, {
            headers: { connection: 'close' },
          }),
        );
      if (this.#bytes + chunk.length > this.#maxBytes)
        return stop(
          new HttpError('too_much_arriving', 'too many requests are arriving; send the same again', {
            headers: { connection: 'close' },
          }),
        );
      held.bytes += chunk.length;
      this.#bytes += chunk.length;
      chunks.push(chunk);
    };
    body.on('data', onData);
    body.once('end', () => resolve(Buffer.concat(chunks)));
    body.once('error', cutOff);
    body.once('close', cutOff);
    return promise;
  }

  async #turn(): Promise<void> {
    if (this.#working >= MAX_WORKING) await new Promise<void>((go) => this.#waiting.push(go));
    this.#working++;
  }
}
