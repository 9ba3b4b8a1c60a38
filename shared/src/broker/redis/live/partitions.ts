// The announcements of a log in a Cluster, which come on a few Redis channels for all channels of the log (see keys.ts): each is
// subscribed once, as long as somebody hears a channel or pattern of the log that may be announced there.

import type { RedisClient } from '../client.ts';
import type { RedisKeys } from '../keys.ts';

interface Partition {
  /** How many channels and patterns of the log need it. */
  needed: number;
  acknowledged: Promise<unknown>;
}

export class Partitions {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #active = new Map<string, Partition>();

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** The connection is new, and subscribes to nothing yet. */
  reset(): void {
    this.#active.clear();
  }

  /** These are subscribed already, for as long as the connection lasts. */
  keep(names: readonly string[], acknowledged: Promise<unknown>): void {
    for (const name of names) this.#active.set(name, { needed: Number.POSITIVE_INFINITY, acknowledged });
  }

  /** Resolves when Redis has acknowledged all that `pattern` needs. What succeeds is to be followed by `leave`. */
  async enter(pattern: string): Promise<void> {
    const { redis } = this.#client;
    const partitions = this.#keys.partitions(pattern).map((name) => {
      // Commands of one turn go out in one write.
      const partition = this.#active.get(name) ?? { needed: 0, acknowledged: redis.ssubscribe(name) };
      partition.needed++;
      this.#active.set(name, partition);
      return { name, partition };
    });
    try {
      await Promise.all(partitions.map(({ partition }) => partition.acknowledged));
    } catch (error) {
      for (const { name, partition } of partitions) {
        partition.needed--;
        if (this.#active.get(name) === partition) this.#active.delete(name); // the next one tries again
      }
      throw error;
    }
  }

  /** Resolves when Redis has acknowledged that what nobody needs any more is left. */
  async leave(pattern: string): Promise<void> {
    await this.#unsubscribe(
      this.#keys.partitions(pattern).filter((name) => {
        const partition = this.#active.get(name);
        return partition !== undefined && --partition.needed <= 0;
      }),
    );
  }

  async leaveAll(): Promise<void> {
    await this.#unsubscribe([...this.#active.keys()]);
  }

  async #unsubscribe(names: readonly string[]): Promise<void> {
    for (const name of names) this.#active.delete(name);
    if (names.length > 0) await this.#client.redis.sunsubscribe(...names);
  }
}
