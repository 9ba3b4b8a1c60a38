// Passes the output of a program on, byte for byte. If the reader goes away, it stops writing, and nothing fails.

import { once } from 'node:events';
import type { Writable } from 'node:stream';

export class Tee {
  readonly #output: Writable;
  #isOpen = true;

  constructor(output: Writable) {
    this.#output = output;
    output.on('error', () => this.#close()); // EPIPE: the reader has gone; publishing goes on
    output.on('close', () => this.#close());
  }

  /** Resolves when more may be written. */
  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#isOpen || this.#output.write(chunk)) return;
    const room = once(this.#output, 'drain').catch(() => this.#close());
    await Promise.race([room, once(this.#output, 'close').catch(() => this.#close())]);
  }

  #close(): void {
    this.#isOpen = false;
  }
}
