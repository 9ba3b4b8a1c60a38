// Passes a program's output on, byte for byte, as long as somebody reads it.

import { once } from 'node:events';
import type { Writable } from 'node:stream';

export class Tee {
  readonly #output: Writable;
  #isOpen = true;

  constructor(output: Writable) {
    this.#output = output;
    output.on('error', () => this.#close()); // EPIPE: the reader has gone, the entries have not
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
