// The log in one process's memory: the embedded default where there is no Redis. Same contract, same bytes; it ends with
// the process.

import { isExact, matches } from '../channels.ts';
import type { Draft } from '../entry.ts';
import { PublishRefused } from '../errors.ts';
import { checkBatch } from './batch.ts';
import type {
  Broker,
  BrokerStatus,
  ChannelInfo,
  Listener,
  Page,
  ReadQuery,
  Subscription,
  WriterStamp,
} from './broker.ts';
import { assemblePage, boundIn, judgeCursor, type LogState, type Slice } from './page.ts';
import { type Position, positionAt } from './position.ts';
import { LogRecord, writeHead } from './record.ts';
import { DEFAULT_RETENTION, type RetentionPolicy, retentionOf } from './retention.ts';
import { deliver, type Interest, Routes } from './routes.ts';

interface Channel {
  records: LogRecord[];
  bytes: number;
  last: Position;
  total: number;
  /** Epoch ms after which its entries go. */
  expires: number;
  /** The highest number that was forgotten, of any channel, before this one was made. */
  forgotten: Position;
}

const TICK_MS = 1_000;
/** Writers whose last batch is remembered; the least recent is forgotten first. */
const MAX_WRITERS = 10_000;

export class MemoryBroker implements Broker {
  readonly #retention: RetentionPolicy;
  readonly #now: () => number;
  readonly #token = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  readonly #channels = new Map<string, Channel>();
  readonly #writers = new Map<string, number>();
  readonly #routes = new Routes();
  readonly #start: Position;
  readonly #timer: NodeJS.Timeout;
  #head: Position;
  #forgotten: Position = 0;
  #bytes = 0;
  #closed = false;

  /** `now` gives epoch ms. */
  constructor(retention: RetentionPolicy = DEFAULT_RETENTION, now: () => number = Date.now) {
    this.#retention = retention;
    this.#now = now;
    this.#start = Math.trunc(now() * 1000);
    this.#head = this.#start;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  async publish(drafts: readonly Draft[], stamp?: WriterStamp): Promise<(string | null)[]> {
    checkBatch(drafts);
    if (this.#closed) throw new PublishRefused('log_full', 'the log is closed');
    if (stamp && !this.#fresh(stamp)) return drafts.map(() => null);
    const names = new Set(drafts.map(({ channel }) => channel));
    const unknown = [...names].filter((name) => !this.#channels.has(name)).length;
    if (unknown > 0 && this.#channels.size + unknown > this.#retention.maxChannels)
      throw new PublishRefused('too_many_channels', 'the log holds its limit of channels');
    const records = drafts.map((draft) => this.#append(draft));
    if (stamp) this.#remember(stamp);
    for (const name of names) this.#trim(name);
    this.#trimTotal();
    for (const record of records) deliver(this.#routes.route(record.channel), record);
    return records.map(({ id }) => id);
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    const interest: Interest = { patterns, listener, from: this.#head };
    this.#routes.add(interest);
    return { from: this.#head, close: () => this.#routes.remove(interest) };
  }

  async read(query: ReadQuery): Promise<Page> {
    return query.reverse ? this.#readBackwards(query) : this.#readForwards(query);
  }

  async position(): Promise<Position> {
    return this.#head;
  }

  async locate(time: number): Promise<Position> {
    return Math.min(this.#head, Math.max(this.#start, positionAt(time)));
  }

  async channels(): Promise<ChannelInfo[]> {
    this.#expire();
    return [...this.#channels].map(([channel, { records, total, last }]) => {
      return { channel, entries: records.length, total, last };
    });
  }

  status(): BrokerStatus {
    return { ready: !this.#closed, reconnects: 0, adopted: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #fresh({ writer, seq }: WriterStamp): boolean {
    return seq > (this.#writers.get(writer) ?? 0);
  }

  #remember({ writer, seq }: WriterStamp): void {
    this.#writers.delete(writer);
    this.#writers.set(writer, seq);
    if (this.#writers.size <= MAX_WRITERS) return;
    for (const oldest of this.#writers.keys()) {
      this.#writers.delete(oldest);
      return;
    }
  }

  #append({ channel: name, body }: Draft): LogRecord {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { records: [], bytes: 0, last: 0, total: 0, expires: 0, forgotten: this.#forgotten };
      this.#channels.set(name, channel);
    }
    const n = Math.max(this.#head + 1, Math.trunc(this.#now() * 1000));
    const head = { n, prev: channel.last, log: this.#token };
    const data = Buffer.from(writeHead(n, this.#token, channel.last) + body.slice(1));
    const record = new LogRecord(name, data, head);
    channel.records.push(record);
    channel.bytes += data.length;
    channel.last = n;
    channel.total++;
    this.#bytes += data.length;
    this.#head = n;
    return record;
  }

  #trim(name: string): void {
    const channel = this.#channels.get(name) as Channel;
    const { entries, idleMs } = retentionOf(this.#retention, name);
    channel.expires = this.#now() + idleMs;
    // In blocks, so that a full channel does not move its whole array for each entry.
    const excess = channel.records.length - entries;
    if (excess > Math.min(100, entries / 10)) this.#drop(channel, excess);
  }

  #trimTotal(): void {
    const { maxBytes } = this.#retention;
    if (maxBytes === 0 || this.#bytes <= maxBytes) return;
    const bySize = [...this.#channels.values()].sort((a, b) => b.bytes - a.bytes);
    for (const channel of bySize) {
      if (this.#bytes <= maxBytes * 0.9) return;
      this.#drop(channel, Math.ceil(channel.records.length / 2));
    }
  }

  #drop(channel: Channel, count: number): void {
    for (const { data } of channel.records.splice(0, count)) {
      channel.bytes -= data.length;
      this.#bytes -= data.length;
    }
  }

  #expire(): void {
    const now = this.#now();
    const scarce = this.#channels.size > this.#retention.maxChannels * 0.9;
    for (const [name, channel] of this.#channels) {
      if (channel.expires > now) continue;
      this.#drop(channel, channel.records.length);
      if (!scarce) continue;
      this.#channels.delete(name);
      this.#forgotten = Math.max(this.#forgotten, channel.last);
    }
  }

  #tick(): void {
    this.#expire();
    this.#routes.position(this.#head);
  }

  #readForwards({ channels, after: cursor, origin, upTo: bound, limit }: ReadQuery): Page {
    this.#expire();
    const state: LogState = {
      token: this.#token,
      start: this.#start,
      head: this.#head,
      now: Math.trunc(this.#now() * 1000),
      forgotten: this.#forgotten,
      rollbacks: [],
    };
    const { after, gap } = judgeCursor(state, cursor);
    const upTo = boundIn(state, bound);
    const leading: Page['items'] = gap ? [{ gap }] : [];
    if (after >= upTo) return { items: leading, next: upTo, done: true };
    const known = channels.every((name) => isExact(name) && this.#channels.has(name));
    const slices = this.#matching(channels).map(([channel, { records, last, forgotten }]): Slice => {
      const start = firstAfter(records, after);
      const chunk = records.slice(start, start + limit + 1);
      const exhausted = start + chunk.length === records.length;
      return { channel, last, records: chunk, exhausted, reason: 'trimmed', forgotten };
    });
    const began = gap || origin === undefined ? after : origin;
    const forgotten = known ? 0 : this.#forgotten;
    const page = assemblePage(slices, { after, origin: began, upTo, limit }, forgotten);
    return { ...page, items: [...leading, ...page.items] };
  }

  #readBackwards({ channels, after, upTo = this.#head, limit }: ReadQuery): Page {
    this.#expire();
    const records = this.#matching(channels).flatMap(([, channel]) => {
      const end = firstAfter(channel.records, upTo);
      const start = Math.max(firstAfter(channel.records, after), end - limit - 1);
      return channel.records.slice(start, end);
    });
    records.sort((a, b) => b.n - a.n);
    const done = records.length <= limit;
    if (!done) records.length = limit;
    const next = done ? after : (records.at(-1) as LogRecord).n - 1;
    return { items: records.map((record) => ({ record })), next, done };
  }

  #matching(patterns: readonly string[]): [string, Channel][] {
    return [...this.#channels].filter(([name]) => patterns.some((pattern) => matches(pattern, name)));
  }
}

/** Index of the first record with a number above `position`. */
function firstAfter(records: readonly LogRecord[], position: Position): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle] as LogRecord).n <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
