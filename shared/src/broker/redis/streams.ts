// The streams of the log in Redis and the index of its channels, for pages of history. Each method is one round trip, except that
// a large index is read in batches, by one reader at a time.

import { channelMatcher, isExact } from '../../channels.ts';
import type { TimeSlicer } from '../../time-slicer.ts';
import type { ChannelStreams, NewestEntries } from '../history/channel-streams.ts';
import type { ChannelRead } from '../history/page.ts';
import { formatPosition, type Position } from '../position.ts';
import { LogRecord, parseHead } from '../record.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { RedisClient } from './client.ts';
import { codeOf } from './errors.ts';
import type { RedisKeys } from './keys.ts';

type Matcher = (channel: string) => boolean;

/** Channels of the index that are read in one round trip. Parsing a longer reply would hold the event loop. */
const INDEX_BATCH = 1_000;

export class RedisStreams implements ChannelStreams {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #pace: TimeSlicer;
  readonly #scans = new SerialQueue();

  constructor(client: RedisClient, keys: RedisKeys, pace: TimeSlicer) {
    this.#client = client;
    this.#keys = keys;
    this.#pace = pace;
  }

  async findNewest(patterns: readonly string[], after: Position): Promise<NewestEntries> {
    const exact = patterns.filter(isExact);
    const wildcards = patterns.filter((pattern) => !isExact(pattern)).map(channelMatcher);
    const newestByChannel = new Map<string, Position>();
    let allKnown = wildcards.length === 0;
    if (exact.length > 0) {
      const scores = await this.#client.redis.zmscore(this.#keys.newest, ...exact);
      exact.forEach((channel, i) => {
        const score = scores[i];
        if (score === null || score === undefined) allKnown = false;
        else if (Number(score) > after) newestByChannel.set(channel, Number(score));
      });
    }
    if (wildcards.length > 0) await this.#addChanged(newestByChannel, wildcards, after);
    return { newestByChannel, allKnown };
  }

  async #addChanged(newestByChannel: Map<string, Position>, wildcards: readonly Matcher[], after: Position) {
    const next = await this.#addBatch(newestByChannel, wildcards, after);
    if (next !== undefined) await this.#scans.runNext(() => this.#addAll(newestByChannel, wildcards, next));
  }

  async #addAll(
    newestByChannel: Map<string, Position>,
    wildcards: readonly Matcher[],
    after: Position,
  ): Promise<void> {
    for (let from: Position | undefined = after; from !== undefined; )
      from = await this.#addBatch(newestByChannel, wildcards, from);
  }

  /** Returns where the next batch begins. A channel that gets an entry meanwhile comes again, with its new position. */
  async #addBatch(
    newestByChannel: Map<string, Position>,
    wildcards: readonly Matcher[],
    after: Position,
  ): Promise<Position | undefined> {
    const batch = ['WITHSCORES', 'LIMIT', 0, INDEX_BATCH] as const;
    const reply = await this.#client.redis.zrangebyscore(this.#keys.newest, `(${after}`, '+inf', ...batch);
    for (let i = 0; i < reply.length; i += 2) {
      const channel = reply[i] as string;
      // A hostile pattern may need as much time for one channel as others do for thousands.
      const pause = this.#pace.pauseIfDue();
      if (pause) await pause;
      if (wildcards.some((matches) => matches(channel))) newestByChannel.set(channel, Number(reply[i + 1]));
    }
    return reply.length < 2 * INDEX_BATCH ? undefined : Number(reply.at(-1));
  }

  async readAfter(reads: readonly ChannelRead[], count: number): Promise<LogRecord[][]> {
    const pipeline = this.#client.redis.pipeline();
    for (const { channel, completeUpTo } of reads)
      pipeline.xrangeBuffer(
        this.#keys.stream(channel),
        `(${formatPosition(completeUpTo)}`,
        '+',
        'COUNT',
        count,
      );
    const replies = (await pipeline.exec()) ?? [];
    return reads.map(({ channel }, i) => toRecords(channel, replies[i]));
  }

  async readBefore(reads: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]> {
    const pipeline = this.#client.redis.pipeline();
    for (const { channel, completeUpTo } of reads) {
      const [from, to] = [`(${formatPosition(completeUpTo)}`, `(${formatPosition(floor)}`];
      pipeline.xrevrangeBuffer(this.#keys.stream(channel), from, to, 'COUNT', count);
    }
    const replies = (await pipeline.exec()) ?? [];
    return reads.map(({ channel }, i) => toRecords(channel, replies[i]));
  }

  async wereTrimmed(channels: readonly string[]): Promise<boolean[]> {
    const pipeline = this.#client.redis.pipeline();
    for (const channel of channels) pipeline.xinfo('STREAM', this.#keys.stream(channel));
    const replies = (await pipeline.exec()) ?? [];
    return channels.map((_, i) => {
      const info = (replies[i]?.[1] ?? []) as unknown[];
      const of = (name: string) => info[info.indexOf(name) + 1];
      return info.length > 0 && of('length') !== of('entries-added');
    });
  }

  async highestForgotten(): Promise<Position> {
    return Number((await this.#client.redis.get(this.#keys.forgotten)) ?? 0);
  }

  async forgottenBefore(channels: readonly string[]): Promise<Position[]> {
    const forgotten = await this.#client.redis.hmget(this.#keys.reborn, ...channels);
    return forgotten.map((n) => Number(n ?? 0));
  }
}

type StreamReply = [Error | null, unknown] | undefined;

function toRecords(channel: string, reply: StreamReply): LogRecord[] {
  if (!reply) return [];
  const [error, rows] = reply;
  // Another program has put its own value under the key of this channel. The entries are gone, and the page names the gap.
  if (codeOf(error) === 'WRONGTYPE') return [];
  if (error) throw error;
  const records: LogRecord[] = [];
  for (const [, fields] of rows as [Buffer, [Buffer, Buffer]][]) {
    const head = parseHead(fields[1]);
    if (head) records.push(new LogRecord(channel, fields[1], head));
  }
  return records;
}
