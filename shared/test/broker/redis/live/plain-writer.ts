// A program that knows nothing of the log: it PUBLISHes plain, numbered messages, and keeps what Redis answered to each.

import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

const EVERY_MS = 2;

export class PlainWriter {
  readonly #redis: Redis;
  readonly #wire: string;
  /** Of those that somebody heard, between when and when each was published, epoch ms. */
  readonly heard = new Map<number, { from: number; to: number }>();
  #sent = 0;
  #stopped = false;
  readonly #writing: Promise<void>;

  /** Messages that are sent together, and the characters of each beside its number. */
  #burst = { count: 1, text: '' };

  constructor(url: string, wire: string) {
    this.#redis = new Redis(url);
    this.#wire = wire;
    this.#writing = this.#write();
  }

  /** From now on it sends `count` messages at a time, each with `length` more characters. */
  setBurst(count: number, length: number): void {
    this.#burst = { count, text: ' '.padEnd(length, 'x') };
  }

  /** Resolves when it has sent so many more. */
  async more(count: number): Promise<void> {
    for (const goal = this.#sent + count; this.#sent < goal; ) await pause(EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#writing;
    this.#redis.disconnect();
  }

  async #write(): Promise<void> {
    for (; !this.#stopped; await pause(EVERY_MS)) {
      const { count, text } = this.#burst;
      const [first, from] = [this.#sent, Date.now()];
      this.#sent += count;
      const burst = this.#redis.pipeline();
      for (let k = first; k < first + count; k++) burst.publish(this.#wire, `${k}${text}`);
      const replies = (await burst.exec()) ?? [];
      const to = Date.now();
      replies.forEach(([, heardBy], i) => {
        if (Number(heardBy) > 0) this.heard.set(first + i, { from, to });
      });
    }
  }
}
