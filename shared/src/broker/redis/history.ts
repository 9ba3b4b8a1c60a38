// Reads the log in Redis: its state, its channels, and its history in pages, with every gap named. A page reads only channels that
// have entries after the cursor, however many channels there are.

import { TimeSlicer } from '../../time-slicer.ts';
import type { ChannelInfo, Page, ReadQuery } from '../broker.ts';
import type { DeliveryGuard } from '../delivery-guard.ts';
import { PageReader } from '../history/page-reader.ts';
import type { LogState } from '../log-state.ts';
import { type Position, positionAt } from '../position.ts';
import { loadScript, type RedisClient } from './client.ts';
import type { RedisKeys } from './keys.ts';
import { readState } from './read-state.ts';
import type { ReplicaReads } from './replica-reads.ts';
import { RedisStreams } from './streams.ts';
import { headAhead } from './times-ahead.ts';

const CHANNELS = loadScript('channels', 'no-writes');
/** Channels in one call of that script. */
const CHANNELS_PER_CALL = 100;

export class RedisHistory {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #streams: RedisStreams;
  readonly #pages: PageReader;
  readonly #replica: ReplicaReads | undefined;
  /** What it reads is given out only while the guard lets it through. */
  guard: DeliveryGuard | undefined;

  /** What `replica` holds is read there. */
  constructor(client: RedisClient, keys: RedisKeys, replica?: ReplicaReads) {
    this.#client = client;
    this.#keys = keys;
    this.#replica = replica;
    const pace = new TimeSlicer();
    this.#streams = new RedisStreams(client, keys, pace);
    this.#pages = new PageReader(
      async (state, upTo) => (await replica?.streamsUpTo(state, upTo, pace)) ?? this.#streams,
      () => this.state(),
      pace,
    );
  }

  async state(): Promise<LogState> {
    const [token, start, head, ...rollbacks] = await readState(this.#client, this.#keys);
    this.#client.seen.highest = Math.max(this.#client.seen.highest, Number(head));
    return {
      token,
      start: Number(start),
      head: Number(head),
      rollbacks: rollbacks.flatMap((range) => {
        const [restored = Number.NaN, lifted = Number.NaN, lostAfter = Number.NaN] = range
          .split(':')
          .map(Number);
        if (!(restored < lifted && lifted <= Number(head))) return [];
        return { restored, lifted, ...(lostAfter >= 0 && lostAfter <= restored && { lostAfter }) };
      }),
    };
  }

  /** Where the log was at `time` (epoch ms), if its positions were ahead of the clock then. */
  async headAhead(time: number): Promise<Position | undefined> {
    await this.#client.runId();
    // Notes rise. There may be two thousand, and only who asks for a time of the last failover or before needs more than the last one.
    const newest = await this.#client.redis.lindex(this.#keys.ahead, -1);
    if (!(Number(newest?.split(':')[1]) > positionAt(time))) return undefined;
    const notes = await this.#client.redis.lrange(this.#keys.ahead, 0, -1);
    return headAhead(notes, time);
  }

  /** After the reading, which may have taken long. */
  async readPage(query: ReadQuery): Promise<Page> {
    const page = await this.#pages.readPage(query).catch((error) => {
      if (this.#replica === undefined) throw error;
      this.#replica.rest();
      return this.#pages.readPage(query);
    });
    await this.guard?.wait();
    return page;
  }

  /** A few at a time, because Redis serves nobody else while a script runs. */
  async channels(pattern: string): Promise<ChannelInfo[]> {
    await this.#client.runId();
    const { newestByChannel } = await this.#streams.findNewest([pattern], 0);
    const channels: ChannelInfo[] = [];
    const all = [...newestByChannel];
    for (let from = 0; from < all.length; from += CHANNELS_PER_CALL) {
      const group = all.slice(from, from + CHANNELS_PER_CALL);
      const names = group.map(([channel]) => channel);
      const sizes = (await this.#client.runScript(CHANNELS, this.#keys, names)) as number[];
      group.forEach(([channel, last], i) => {
        channels.push({ channel, entries: sizes[2 * i] ?? 0, total: sizes[2 * i + 1] ?? 0, last });
      });
    }
    return channels;
  }
}
