// The entries of the log in memory. It gives them their positions and drops the oldest where a bound is passed. It knows no
// listeners.

import type { Draft } from '../../entry.ts';
import { tooManyChannels } from '../../errors.ts';
import type { LogState } from '../log-state.ts';
import { newLogToken } from '../log-token.ts';
import type { Position } from '../position.ts';
import { LogRecord, writeHead } from '../record.ts';
import { placesFor, type RetentionPolicy, retentionOf, SCARCE_SHARE } from '../retention.ts';

export interface Channel {
  records: LogRecord[];
  bytes: number;
  newest: Position;
  total: number;
  /** Why the newest of the dropped entries was dropped. */
  reason: 'trimmed' | 'expired';
  /** Epoch ms at which all entries expire. */
  expires: number;
  /** The highest position of any channel that was forgotten before this one was made. */
  forgotten: Position;
}

export class MemoryStore {
  readonly #retention: RetentionPolicy;
  readonly #now: () => number;
  readonly #token = newLogToken();
  readonly #channels = new Map<string, Channel>();
  readonly #start: Position;
  #head: Position;
  #forgotten: Position = 0;
  #bytes = 0;
  /** Epoch ms before which nothing expires, so that most calls of `dropExpired` need not look at each channel. */
  #nextExpiry = Number.POSITIVE_INFINITY;

  constructor(retention: RetentionPolicy, now: () => number) {
    this.#retention = retention;
    this.#now = now;
    this.#start = this.#clock();
    this.#head = this.#start;
  }

  get state(): LogState {
    return {
      token: this.#token,
      start: this.#start,
      head: this.#head,
      rollbacks: [],
    };
  }

  get channels(): ReadonlyMap<string, Channel> {
    return this.#channels;
  }

  /** The highest position of any channel that was forgotten; 0 if none was. */
  get forgotten(): Position {
    return this.#forgotten;
  }

  /** @throws PublishRefused `too_many_channels`; then nothing was stored. */
  append(drafts: readonly Draft[]): LogRecord[] {
    const names = new Set(drafts.map(({ channel }) => channel));
    this.#checkPlaces(names);
    const records = drafts.map((draft) => this.#appendOne(draft));
    for (const name of names) this.#trim(name);
    this.#trimTotal();
    return records;
  }

  /** Drops the entries of channels that were idle for too long. If the log is nearly full of channels, it also forgets the idle ones. */
  dropExpired(): void {
    const now = this.#now();
    const scarce = this.#channels.size > this.#retention.maxChannels * SCARCE_SHARE;
    if (now < this.#nextExpiry && !scarce) return;
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const [name, channel] of this.#channels) {
      if (channel.expires > now) {
        this.#nextExpiry = Math.min(this.#nextExpiry, channel.expires);
        continue;
      }
      this.#drop(channel, channel.records.length, 'expired');
      channel.total = 0;
      if (!scarce) continue;
      this.#channels.delete(name);
      this.#forgotten = Math.max(this.#forgotten, channel.newest);
    }
  }

  /** Removes all entries of the channels, as if they had expired. Returns how many there were. */
  dropEntries(names: readonly string[]): number {
    let count = 0;
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (!channel) continue;
      count += channel.records.length;
      this.#drop(channel, channel.records.length, 'expired');
      channel.total = 0;
    }
    return count;
  }

  #checkPlaces(names: ReadonlySet<string>): void {
    let size = this.#channels.size;
    const refused: string[] = [];
    for (const name of names) {
      if (this.#channels.has(name)) continue;
      if (size < placesFor(this.#retention, name, false)) size++;
      else refused.push(name);
    }
    if (refused.length > 0) throw tooManyChannels(refused);
  }

  #appendOne({ channel: name, body }: Draft): LogRecord {
    let channel = this.#channels.get(name);
    if (!channel) {
      const forgotten = this.#forgotten;
      channel = { records: [], bytes: 0, newest: 0, total: 0, reason: 'trimmed', expires: 0, forgotten };
      this.#channels.set(name, channel);
    }
    const n = Math.max(this.#head + 1, this.#clock());
    const head = { n, prev: channel.newest };
    const data = Buffer.from(writeHead(n, this.#token, channel.newest) + body.slice(1));
    const record = new LogRecord(name, data, head);
    channel.records.push(record);
    channel.bytes += data.length;
    channel.newest = n;
    channel.total++;
    this.#bytes += data.length;
    this.#head = n;
    return record;
  }

  #trim(name: string): void {
    const channel = this.#channels.get(name) as Channel;
    const { entries, idleMs } = retentionOf(this.#retention, name);
    channel.expires = this.#now() + idleMs;
    this.#nextExpiry = Math.min(this.#nextExpiry, channel.expires);
    // Entries are dropped in blocks: to drop one for each new entry would move the whole array each time.
    const excess = channel.records.length - entries;
    if (excess > Math.min(100, entries / 10)) this.#drop(channel, excess, 'trimmed');
  }

  #trimTotal(): void {
    const { maxBytes } = this.#retention;
    if (maxBytes === 0 || this.#bytes <= maxBytes) return;
    const bySize = [...this.#channels.values()].sort((a, b) => b.bytes - a.bytes);
    for (const channel of bySize) {
      if (this.#bytes <= maxBytes * 0.9) return;
      this.#drop(channel, Math.ceil(channel.records.length / 2), 'trimmed');
    }
  }

  #drop(channel: Channel, count: number, reason: Channel['reason']): void {
    if (count > 0) channel.reason = reason;
    for (const { data } of channel.records.splice(0, count)) {
      channel.bytes -= data.length;
      this.#bytes -= data.length;
    }
  }

  #clock(): Position {
    return Math.trunc(this.#now() * 1000);
  }
}
