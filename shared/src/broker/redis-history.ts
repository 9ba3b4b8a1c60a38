// Reads the log's history from Redis: pages in order, with every hole named. Costs grow with the channels that changed
// since the cursor, not with all there are.

import type { ChannelInfo, Page, ReadQuery } from './broker.ts';
import type { LogState } from './page.ts';
import { readBackwards } from './redis-backwards.ts';
import { loadScript, type RedisClient } from './redis-client.ts';
import { readForwards } from './redis-forwards.ts';
import { RedisStreams } from './redis-streams.ts';

const STATE = loadScript('state', 'allow-oom');
const CHANNELS = loadScript('channels', 'allow-oom');
/** Channels that one call of that script looks at. */
const SLICE = 100;

/** Pages over more take turns: together they would hold megabytes each, and keep the process from all else. */
const MANY_CHANNELS = 1_000;

export class RedisHistory {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #streams: RedisStreams;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#streams = new RedisStreams(client, prefix);
  }

  async state(): Promise<LogState> {
    const reply = await this.#client.script(STATE, this.#prefix, []);
    const [token, start, head, now, forgotten, ...rollbacks] = reply as [string, ...string[]];
    this.#client.seen.highest = Math.max(this.#client.seen.highest, Number(head));
    return {
      token,
      start: Number(start),
      head: Number(head),
      now: Number(now),
      forgotten: Number(forgotten),
      rollbacks: rollbacks.map((range) => {
        const [restored, lifted] = range.split(':').map(Number);
        return { restored: restored as number, lifted: lifted as number };
      }),
    };
  }

  async read(query: ReadQuery): Promise<Page> {
    const [state, channels] = await Promise.all([
      this.state(),
      this.#streams.countChanged(query.channels, query.after),
    ]);
    if (channels <= MANY_CHANNELS) return this.#page(state, query);
    return this.#inTurn(async () => this.#page(await this.state(), query));
  }

  /** Looked at a few at a time: Redis does nothing else meanwhile. */
  async channels(pattern: string): Promise<ChannelInfo[]> {
    const { lasts } = await this.#streams.lasts([pattern], 0);
    const channels: ChannelInfo[] = [];
    const names = [...lasts.keys()];
    for (let from = 0; from < names.length; from += SLICE) {
      const slice = names.slice(from, from + SLICE);
      const sizes = (await this.#client.script(CHANNELS, this.#prefix, slice)) as number[];
      slice.forEach((channel, i) => {
        const [entries = 0, total = 0] = sizes.slice(2 * i);
        channels.push({ channel, entries, total, last: lasts.get(channel) ?? 0 });
      });
    }
    return channels;
  }

  #page(state: LogState, query: ReadQuery): Promise<Page> {
    return query.reverse
      ? readBackwards(this.#streams, state, query)
      : readForwards(this.#streams, state, query);
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const reading = this.#last.then(read);
    this.#last = reading.catch(() => undefined);
    return reading;
  }
}
