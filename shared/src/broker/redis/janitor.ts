// Keeps the log within its bounds of bytes and channels. It runs every ten seconds, in the process that holds the adopter's lease.

import type { Logger } from '../../logger.ts';
import { type RetentionPolicy, SCARCE_SHARE } from '../retention.ts';
import { loadScript, messageOf, type RedisClient } from './client.ts';
import type { RedisKeys } from './keys.ts';

const FORGET = loadScript('forget', 'allow-oom');
const SLICE = 500;

export class RedisJanitor {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #retention: RetentionPolicy;
  readonly #logger: Logger | undefined;

  constructor(client: RedisClient, keys: RedisKeys, retention: RetentionPolicy, logger: Logger | undefined) {
    this.#client = client;
    this.#keys = keys;
    this.#retention = retention;
    this.#logger = logger;
  }

  async sweep(): Promise<void> {
    try {
      await this.#forget();
      if (this.#retention.maxBytes > 0) await this.#trim();
    } catch (error) {
      this.#logger?.warn(`janitor: ${messageOf(error)}`);
    }
  }

  async #forget(): Promise<void> {
    const { redis } = this.#client;
    const index = this.#keys.newest;
    const count = await redis.zcard(index);
    let surplus = count - Math.floor(this.#retention.maxChannels * SCARCE_SHARE);
    for (let start = 0; surplus > 0 && start < count; start += SLICE) {
      const oldest = await redis.zrange(index, `${start}`, `${start + SLICE - 1}`);
      const gone = Number(await this.#client.runScript(FORGET, this.#keys, oldest));
      surplus -= gone;
      start -= gone;
    }
  }

  /** If the log is over its bound, drops the oldest entries of the largest channels, at least a tenth of each. */
  async #trim(): Promise<void> {
    const { redis } = this.#client;
    const channels = await redis.zrange(this.#keys.newest, '0', '-1');
    const sizes: { key: string; bytes: number }[] = [];
    for (let start = 0; start < channels.length; start += SLICE) {
      const keys = channels.slice(start, start + SLICE).map((channel) => this.#keys.stream(channel));
      const pipeline = redis.pipeline();
      for (const key of keys) pipeline.memory('USAGE', key);
      const replies = (await pipeline.exec()) ?? [];
      keys.forEach((key, i) => {
        sizes.push({ key, bytes: Number(replies[i]?.[1] ?? 0) });
      });
    }
    let excess = sizes.reduce((sum, { bytes }) => sum + bytes, 0) - this.#retention.maxBytes;
    sizes.sort((a, b) => b.bytes - a.bytes);
    for (const { key, bytes } of sizes) {
      if (excess <= 0) return;
      const length = await redis.xlen(key);
      const share = Math.min(1, Math.max(0.1, excess / bytes));
      await redis.xtrim(key, 'MAXLEN', '~', Math.floor(length * (1 - share)));
      excess -= bytes * share;
    }
  }
}
