// A program that knows nothing of the log: it PUBLISHes plain, numbered messages, and keeps what Redis answered to each.

import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

const EVERY_MS = 2;

export class PlainWriter {
  readonly #redis: Redis;
  readonly #wire: string;
  /** When each message was sent that a subscriber got, epoch ms. */
  readonly heard = new Map<number, number>();
  #sent = 0;
  #stopped = false;
  readonly #writing: Promise<void>;

  constructor(url: string, wire: string) {
    this.#redis = new Redis(url);
    this.#wire = wire;
    this.#writing = this.#write();
  }

  /** Resolves when it has sent `count` more messages. */
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
      const [k, at] = [this.#sent++, Date.now()];
      if ((await this.#redis.publish(this.#wire, `${k}`)) > 0) this.heard.set(k, at);
    }
  }
}
