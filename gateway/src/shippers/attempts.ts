// Remembers for two minutes when a request came that could not be stored whole. Events without a time of their own have that of their
// arrival; if the same request comes again, its events are the same ones, and the batches that were stored are known again.

import { webcrypto } from 'node:crypto';
import { CodedError } from '@llm-streamer/shared/errors.ts';

/** Only then it helps to send the same again. */
const RETRYABLE = ['broker_unavailable', 'log_full'];
const REMEMBERED_MS = 120_000;
const MAX_REMEMBERED = 1_000;

export interface Attempt {
  now: number;
  /** Tells two requests apart that came in the same millisecond. */
  nonce: string;
}

export class Attempts {
  readonly #failed = new Map<string, Attempt>();
  readonly #now: () => number;
  #count = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How many requests are remembered. While it is none, no body is hashed. */
  get size(): number {
    return this.#failed.size;
  }

  /** Calls `store` with the attempt that this request continues, or else with a new one. */
  async run<T>(writer: string, body: Buffer, store: (attempt: Attempt) => Promise<T>): Promise<T> {
    this.#forgetOld();
    const known = this.#failed.size === 0 ? undefined : this.#failed.get(await keyOf(writer, body));
    const attempt = known ?? { now: this.#now(), nonce: String(++this.#count) };
    try {
      const stored = await store(attempt);
      if (known !== undefined) this.#failed.delete(await keyOf(writer, body));
      return stored;
    } catch (error) {
      const isLater = error instanceof CodedError && RETRYABLE.includes(error.code);
      if (isLater) this.#remember(await keyOf(writer, body), attempt);
      throw error;
    }
  }

  #forgetOld(): void {
    const oldest = this.#now() - REMEMBERED_MS;
    for (const [key, { now }] of this.#failed) if (now <= oldest) this.#failed.delete(key);
  }

  #remember(key: string, attempt: Attempt): void {
    this.#failed.delete(key);
    this.#failed.set(key, attempt);
    if (this.#failed.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#failed.keys()) return void this.#failed.delete(oldest);
  }
}

/** Counted in another thread: 16 MiB take longer than the event loop may be held. */
async function keyOf(writer: string, body: Buffer): Promise<string> {
  const digest = await webcrypto.subtle.digest('SHA-256', new Uint8Array(body));
  return `${writer} ${Buffer.from(digest).toString('base64')}`;
}
