// The log in the memory of one process: what a gateway uses that is given no Redis. It keeps the same contract and makes the same
// bytes as the log in Redis. Its entries are gone when the process ends.

import type { Draft } from '../../entry.ts';
import { PublishRefused } from '../../errors.ts';
import { TimeSlicer } from '../../time-slicer.ts';
import { checkBatch } from '../batch.ts';
import type {
  Broker,
  BrokerStatus,
  ChannelInfo,
  Listener,
  Page,
  ReadQuery,
  Subscription,
  WriterStamp,
} from '../broker.ts';
import { PageReader } from '../history/page-reader.ts';
import { type Position, positionAt } from '../position.ts';
import type { LogRecord } from '../record.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../retention.ts';
import { deliverRecord, type Interest, Routes } from '../routes.ts';
import { MemoryStore } from './memory-store.ts';
import { MemoryStreams } from './memory-streams.ts';

const TICK_MS = 1_000;
/** Writers whose last batch is remembered. With more, the one that has not written for longest is forgotten. */
const MAX_WRITERS = 10_000;

export class MemoryBroker implements Broker {
  readonly #store: MemoryStore;
  readonly #streams: MemoryStreams;
  readonly #pages: PageReader;
  readonly #writers = new Map<string, number>();
  readonly #routes = new Routes();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  /** `now` returns epoch ms. */
  constructor(retention: RetentionPolicy = DEFAULT_RETENTION, now: () => number = Date.now) {
    this.#store = new MemoryStore(retention, now);
    const pace = new TimeSlicer();
    this.#streams = new MemoryStreams(this.#store, pace);
    this.#pages = new PageReader(
      async () => this.#streams,
      async () => this.#store.state,
      pace,
    );
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  async publish(drafts: readonly Draft[], stamp?: WriterStamp): Promise<(string | null)[]> {
    checkBatch(drafts);
    if (this.#closed) throw new PublishRefused('log_full', 'the log is closed');
    if (stamp && !this.#isNew(stamp)) return drafts.map(() => null);
    const records = this.#append(drafts);
    if (stamp) this.#remember(stamp);
    return records.map(({ id }) => id);
  }

  /** More than one batch may hold, for a writer in this process that bounds it itself: all of it, or none. */
  async publishWhole(drafts: readonly Draft[]): Promise<void> {
    if (this.#closed) throw new PublishRefused('log_full', 'the log is closed');
    this.#append(drafts);
  }

  /** Removes all entries of the channels, as if they had expired. Returns how many there were. */
  dropEntries(channels: readonly string[]): number {
    return this.#store.dropEntries(channels);
  }

  #append(drafts: readonly Draft[]): LogRecord[] {
    const records = this.#store.append(drafts);
    for (const record of records) deliverRecord(this.#routes.route(record.channel), record);
    return records;
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    const from = this.#store.state.head;
    const interest: Interest = { patterns, listener, from };
    this.#routes.register(interest);
    return { from, close: () => this.#routes.unregister(interest) };
  }

  async readPage(query: ReadQuery): Promise<Page> {
    this.#store.dropExpired();
    return this.#pages.readPage(query);
  }

  async head(): Promise<Position> {
    return this.#store.state.head;
  }

  async positionAtTime(time: number): Promise<Position> {
    const { start, head } = this.#store.state;
    return Math.min(head, Math.max(start, positionAt(time)));
  }

  async channels(pattern: string): Promise<ChannelInfo[]> {
    this.#store.dropExpired();
    const { newestByChannel } = await this.#streams.findNewest([pattern], 0);
    return [...newestByChannel].flatMap(([channel, last]) => {
      const { records, total } = this.#store.channels.get(channel) ?? {};
      return records && total !== undefined ? { channel, entries: records.length, total, last } : [];
    });
  }

  status(): BrokerStatus {
    return { ready: !this.#closed, reconnects: 0, adopted: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #isNew({ writer, seq }: WriterStamp): boolean {
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

  #tick(): void {
    this.#store.dropExpired();
    this.#routes.advance(this.#store.state.head);
  }
}
