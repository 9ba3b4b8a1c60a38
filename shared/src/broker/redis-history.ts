// Reads the log's history from Redis streams: pages in order, with every hole named. Costs grow with the channels that
// changed since the cursor, not with all there are.

import { isExact, matches } from '../channels.ts';
import type { Page, PageItem, ReadQuery } from './broker.ts';
import { assemblePage, boundIn, horizonOf, judgeCursor, type LogState, type Slice } from './page.ts';
import { formatPosition, type Position } from './position.ts';
import { LogRecord, parseHead } from './record.ts';
import { loadScript, type RedisClient } from './redis-client.ts';
import { type RetentionPolicy, retentionOf } from './retention.ts';

const STATE = loadScript('state', 'allow-oom');
/** Rounds of reading on in the channels that lag behind, before a page is cut where it stands. */
const MAX_ROUNDS = 6;
const MIN_CHUNK = 16;

interface StreamSlice extends Slice {
  key: string;
}

export class RedisHistory {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #retention: RetentionPolicy;

  constructor(client: RedisClient, prefix: string, retention: RetentionPolicy) {
    this.#client = client;
    this.#prefix = prefix;
    this.#retention = retention;
  }

  async state(): Promise<LogState> {
    const [token, start, head, now, forgotten, ...rollbacks] = (await this.#client.script(
      STATE,
      this.#prefix,
      [],
    )) as [string, ...string[]];
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
    return query.reverse ? this.#readBackwards(query) : this.#readForwards(query);
  }

  async #readForwards({ channels, after: cursor, origin, upTo: bound, limit }: ReadQuery): Promise<Page> {
    const state = await this.state();
    const { after, gap } = judgeCursor(state, cursor);
    const upTo = boundIn(state, bound);
    const items: PageItem[] = gap ? [{ gap }] : [];
    if (after >= upTo) return { items, next: upTo, done: true };

    const { known, lasts } = await this.#lasts(channels, after);
    const slices = await this.#slices(lasts, after, limit);
    if (known) await this.#tellReborn(slices);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const horizon = Math.min(upTo, horizonOf(slices));
      const ready = slices.reduce((sum, { records }) => sum + countUpTo(records, horizon), 0);
      const lagging = slices.filter((slice) => !slice.exhausted && (slice.records.at(-1)?.n ?? 0) < upTo);
      if (ready >= limit || lagging.length === 0) break;
      await this.#readOn(lagging, limit);
    }
    await this.#tellExpiredFromTrimmed(slices, after);
    // After a gap of its own the page speaks of the place where the reading really begins.
    const began = gap || origin === undefined ? after : origin;
    const forgotten = known ? 0 : state.forgotten;
    const page = assemblePage(slices, { after, origin: began, upTo, limit }, forgotten);
    return { ...page, items: [...items, ...page.items] };
  }

  /** The newest entries first. Each of the `limit` newest lies in one of the `limit` channels that changed last. */
  async #readBackwards({ channels, after: asked, upTo: bound, limit }: ReadQuery): Promise<Page> {
    const state = await this.state();
    const after = Math.max(asked, state.start);
    const upTo = Math.min(bound ?? state.head, state.head);
    const { lasts } = await this.#lasts(channels, after);
    const newest = [...lasts].sort((a, b) => b[1] - a[1]);
    // Of the others nothing is read: the page ends above them.
    const others = upTo === state.head ? newest.splice(limit) : [];
    const bottom = Math.max(after, others[0]?.[1] ?? 0);
    const slices = newest.map(([channel, last]): StreamSlice => {
      return {
        channel,
        key: this.#key(channel),
        last,
        records: [],
        exhausted: false,
        reason: 'trimmed',
        forgotten: 0,
      };
    });
    let floor = bottom + 1;
    let behind = slices;
    for (let round = 0; round < MAX_ROUNDS && behind.length > 0; round++) {
      const chunk = Math.min(limit, Math.max(MIN_CHUNK, Math.ceil((2 * limit) / behind.length)));
      const pipeline = this.#client.redis.pipeline();
      for (const { key, records } of behind) {
        const from = formatPosition((records.at(-1)?.n ?? upTo + 1) - 1);
        pipeline.xrevrangeBuffer(key, from, `(${formatPosition(bottom)}`, 'COUNT', chunk);
      }
      const replies = (await pipeline.exec()) ?? [];
      behind.forEach((slice, i) => {
        const records = toRecords(slice.channel, replies[i]);
        slice.records.push(...records);
        slice.exhausted = records.length < chunk;
      });
      const open = slices.filter(({ exhausted }) => !exhausted);
      floor = Math.max(bottom + 1, ...open.map(({ records }) => records.at(-1)?.n ?? 0));
      const ready = slices.reduce(
        (sum, { records }) => sum + records.filter(({ n }) => n >= floor).length,
        0,
      );
      behind = ready >= limit ? [] : open.filter(({ records }) => records.at(-1)?.n === floor);
    }
    const records = slices.flatMap((slice) => slice.records.filter(({ n }) => n >= floor));
    records.sort((a, b) => b.n - a.n);
    const cut = records.length > limit;
    if (cut) records.length = limit;
    const next = cut ? (records.at(-1) as LogRecord).n - 1 : floor - 1;
    return { items: records.map((record) => ({ record })), next, done: next <= after };
  }

  /** Channels with an entry after `after`, and its newest number; `known` when every channel asked for is remembered. */
  async #lasts(
    patterns: readonly string[],
    after: Position,
  ): Promise<{ lasts: Map<string, Position>; known: boolean }> {
    const exact = patterns.filter(isExact);
    const wildcards = patterns.filter((pattern) => !isExact(pattern));
    const lasts = new Map<string, Position>();
    let known = wildcards.length === 0;
    const index = `${this.#prefix}last`;
    if (exact.length > 0) {
      const scores = await this.#client.redis.zmscore(index, ...exact);
      exact.forEach((channel, i) => {
        const score = scores[i];
        if (score === null || score === undefined) known = false;
        else if (Number(score) > after) lasts.set(channel, Number(score));
      });
    }
    if (wildcards.length > 0) {
      const changed = await this.#client.redis.zrangebyscore(index, `(${after}`, '+inf', 'WITHSCORES');
      for (let i = 0; i < changed.length; i += 2) {
        const channel = changed[i] as string;
        if (wildcards.some((pattern) => matches(pattern, channel)))
          lasts.set(channel, Number(changed[i + 1]));
      }
    }
    return { lasts, known };
  }

  async #slices(lasts: Map<string, Position>, after: Position, limit: number): Promise<StreamSlice[]> {
    const slices = [...lasts].map(([channel, last]): StreamSlice => {
      return {
        channel,
        key: this.#key(channel),
        last,
        records: [],
        exhausted: false,
        reason: 'trimmed',
        forgotten: 0,
      };
    });
    const chunk = Math.min(
      limit + 1,
      Math.max(MIN_CHUNK, Math.ceil((2 * limit) / Math.max(1, slices.length))),
    );
    await this.#fetch(slices, () => after, chunk);
    return slices;
  }

  async #readOn(lagging: StreamSlice[], limit: number): Promise<void> {
    // The half that is furthest behind holds the page's horizon back.
    const behind = lagging.sort((a, b) => (a.records.at(-1)?.n ?? 0) - (b.records.at(-1)?.n ?? 0));
    behind.length = Math.ceil(behind.length / 2);
    const chunk = Math.min(limit + 1, Math.max(MIN_CHUNK * 4, Math.ceil((2 * limit) / behind.length)));
    await this.#fetch(behind, (slice) => slice.records.at(-1)?.n ?? 0, chunk);
  }

  async #fetch(slices: StreamSlice[], after: (slice: StreamSlice) => Position, count: number): Promise<void> {
    const pipeline = this.#client.redis.pipeline();
    for (const slice of slices)
      pipeline.xrangeBuffer(slice.key, `(${formatPosition(after(slice))}`, '+', 'COUNT', count);
    const replies = (await pipeline.exec()) ?? [];
    slices.forEach((slice, i) => {
      const records = toRecords(slice.channel, replies[i]);
      slice.exhausted = records.length < count;
      // Trimmed between two chunks: what follows is not connected. Stop here; the next page finds the hole.
      const tail = slice.records.at(-1);
      const first = records[0];
      if (tail && first && first.prev > tail.n) slice.exhausted = false;
      else slice.records.push(...records);
    });
  }

  /** Of channels whose first entry is there: an earlier one of the same name may have been forgotten. */
  async #tellReborn(slices: StreamSlice[]): Promise<void> {
    const young = slices.filter(({ records }) => records[0]?.prev === 0);
    if (young.length === 0) return;
    const names = young.map(({ channel }) => channel);
    const forgotten = await this.#client.redis.hmget(`${this.#prefix}reborn`, ...names);
    young.forEach((slice, i) => {
      slice.forgotten = Number(forgotten[i] ?? 0);
    });
  }

  /** A channel that holds fewer entries than its bound by count lost the older ones by time. */
  async #tellExpiredFromTrimmed(slices: StreamSlice[], after: Position): Promise<void> {
    const holed = slices.filter(({ records }) => (records[0]?.prev ?? 0) > after);
    if (holed.length === 0) return;
    const pipeline = this.#client.redis.pipeline();
    for (const { key } of holed) pipeline.xlen(key);
    const lengths = (await pipeline.exec()) ?? [];
    holed.forEach((slice, i) => {
      const length = Number(lengths[i]?.[1] ?? 0);
      if (length < retentionOf(this.#retention, slice.channel).entries) slice.reason = 'expired';
    });
  }

  #key(channel: string): string {
    return `${this.#prefix}ch:${channel}`;
  }
}

function countUpTo(records: readonly LogRecord[], horizon: Position): number {
  let count = 0;
  for (const { n } of records) if (n <= horizon) count++;
  return count;
}

type StreamReply = [Error | null, unknown] | undefined;

function toRecords(channel: string, reply: StreamReply): LogRecord[] {
  if (!reply) return [];
  const [error, rows] = reply;
  if (error) throw error;
  const records: LogRecord[] = [];
  for (const [, fields] of rows as [Buffer, [Buffer, Buffer]][]) {
    const head = parseHead(fields[1]);
    if (head) records.push(new LogRecord(channel, fields[1], head));
  }
  return records;
}
