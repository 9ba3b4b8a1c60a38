// What the log in Redis holds: its state, its channels, and its history in pages, with every hole named. A page costs as
// many reads as channels changed since the cursor, not as there are.

import type { ChannelInfo, Page, ReadQuery } from './broker.ts';
import type { LogState } from './page.ts';
import { readBackwards } from './redis-backwards.ts';
import { loadScript, type RedisClient } from './redis-client.ts';
import { readForwards } from './redis-forwards.ts';
import { RedisStreams } from './redis-streams.ts';
import { TurnQueue } from './turn-queue.ts';

const STATE = loadScript('state', 'allow-oom');
const CHANNELS = loadScript('channels', 'allow-oom');
/** By one call of that script. */
const LOOKED_AT = 100;

/** Pages over more take turns: together they would hold megabytes each, and keep the process from all else. */
const MANY_CHANNELS = 1_000;

export class RedisHistory {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #streams: RedisStreams;
  readonly #wide = new TurnQueue();

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#streams = new RedisStreams(client, prefix);
  }

  async state(): Promise<LogState> {
    const reply = await this.#client.script(STATE, this.#prefix, []);
    const [token, start, head, now, ...rollbacks] = reply as [string, ...string[]];
    this.#client.seen.highest = Math.max(this.#client.seen.highest, Number(head));
    return {
      token,
      start: Number(start),
      head: Number(head),
      now: Number(now),
      rollbacks: rollbacks.map((range) => {
        const [restored, lifted] = range.split(':').map(Number);
        return { restored: restored as number, lifted: lifted as number };
      }),
    };
  }

  /** A page over very many channels waits for its turn. */
  async read(query: ReadQuery): Promise<Page> {
    const page =
      (await this.#page(query, MANY_CHANNELS)) ??
      (await this.#wide.run(() => this.#page(query, Number.POSITIVE_INFINITY), query.isGone));
    const { after, upTo, reverse } = query;
    return page ?? { items: [], next: reverse && upTo !== undefined ? upTo : after, done: false };
  }

  /** Looked at a few at a time: Redis does nothing else meanwhile. */
  async channels(pattern: string): Promise<ChannelInfo[]> {
    await this.#client.runId();
    const { lasts } = await this.#streams.lasts([pattern], 0);
    const channels: ChannelInfo[] = [];
    const all = [...lasts];
    for (let from = 0; from < all.length; from += LOOKED_AT) {
      const some = all.slice(from, from + LOOKED_AT);
      const names = some.map(([channel]) => channel);
      const sizes = (await this.#client.script(CHANNELS, this.#prefix, names)) as number[];
      some.forEach(([channel, last], i) => {
        channels.push({ channel, entries: sizes[2 * i] ?? 0, total: sizes[2 * i + 1] ?? 0, last });
      });
    }
    return channels;
  }

  /** Undefined where it would be over more than so many channels. */
  async #page(query: ReadQuery, mostChannels: number): Promise<Page | undefined> {
    const state = await this.state();
    return query.reverse
      ? readBackwards(this.#streams, state, query, mostChannels)
      : readForwards(this.#streams, state, query, mostChannels);
  }
}
