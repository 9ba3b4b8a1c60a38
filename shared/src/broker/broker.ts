// The contract of the log: append and announce, subscribe live, read history. Every implementation passes the same suite,
// shared/test/broker/conformance.ts. The promise to readers: each entry once, in order, and a gap names whatever is missing, as far
// as the log can know it (log-state.ts says what it cannot).

import type { Draft } from '../entry.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';

/** At most this many entries and bytes of bodies in one `publish`. */
export const MAX_BATCH_ENTRIES = 500;
export const MAX_BATCH_BYTES = 1_048_576;

/** About the bytes of entries in one page of history. A page over thousands of channels may hold more. */
export const PAGE_BYTES = 1_048_576;

/** Makes a retry harmless: `writer` is 128 random bits, new at each start of a process; `seq` rises with each batch. */
export interface WriterStamp {
  writer: string;
  seq: number;
}

/** Why entries are missing. */
export type GapReason =
  /** The channel's retention by count or bytes dropped them. */
  | 'trimmed'
  /** The channel's retention by idle time dropped them, or the channel was forgotten. */
  | 'expired'
  /** The log was wiped, or another log has taken its place. */
  | 'reset'
  /** The log went back: a failover or a restore has lost the newest entries, and somebody has seen some of them. */
  | 'rollback'
  /** A filtered search of history gave up at its bound. */
  | 'scan_limit'
  /** Messages that are shown live and never stored went by while the reader was lagging or not connected. */
  | 'not_stored';

/**
 * Whether entries of other channels may lie before the end of such a gap. Then the gap moves no cursor. For example, channel a
 * has lost its entries up to 104, and channel b still has 102: a cursor that went to 104 with the gap would skip 102.
 */
export function mayOverlap(reason: GapReason): boolean {
  return reason === 'trimmed' || reason === 'expired';
}

/**
 * Entries that a reader cannot have: those of the channel with `after < n < before`. The newest of them is `before - 1`. Of a `rollback` that
 * became known late some were there, and the reader has had them: it comes behind them.
 *
 * In history a gap comes before all entries after `after`, also those of other channels. For example, a reader at 101 gets the gap
 * { channel: 'a', after: 101, before: 105 }, then 102 of b, then 106 of a. If the connection breaks after 102, the reader
 * resumes at 102, and gets the gap again from there: { channel: 'a', after: 102, before: 105 }. Live, a gap comes before what
 * follows it. A listener that has everything up to 5000 when the log goes back to 4000 gets { after: 4000, reason: 'rollback' } then.
 */
export interface Gap {
  /** null if the entries may be of any of the reader's channels. */
  channel: string | null;
  after: Position;
  before: Position;
  reason: GapReason;
  /** How many entries; null if that cannot be known. */
  missed: number | null;
}

export interface Listener {
  /** Called once for each entry, in the order of `n`. Must not throw. */
  onRecord(record: LogRecord): void;
  /** Called before the entries that follow the gap. */
  onGap(gap: Gap): void;
  /** Everything up to this position on the listener's channels has been delivered. Called about once a second. */
  onAdvance(position: Position): void;
}

export interface Subscription {
  /** Every entry after this position is delivered, and none up to it. */
  readonly from: Position;
  close(): void;
}

export interface ReadQuery {
  /** Channels or patterns. An entry that several of them match comes once. */
  channels: readonly string[];
  /** Exclusive. A forward read names by gaps whatever is missing after this position. */
  after: Position;
  /** Inclusive; the log's head by default. */
  upTo?: Position;
  /** Entries that are wanted. A page over more channels than this may hold more, since it reads each of them anyway. */
  limit: number;
  /** About the bytes of entries that are wanted: with large entries the page ends before `limit`. By default PAGE_BYTES. */
  bytes?: number;
  /** Newest first, from `upTo` backwards. Names no gaps. */
  reverse?: boolean;
  /** Whether the result is not needed any more. A page that waits for others is then not read: it is empty, and not `done`. */
  isAbandoned?: () => boolean;
}

/** A record, or a gap. */
export type PageItem = { record: LogRecord; gap?: never } | { gap: Gap; record?: never };

export interface Page {
  /**
   * First the gaps: everything that is missing after `after`, also after the end of this page. Later pages repeat it, and
   * `readPages` leaves the repetition out. Then the entries, in order.
   */
  items: PageItem[];
  /** Where the next read goes on: everything from `after` up to this position is in the page. */
  next: Position;
  /** True when `upTo` (or, in reverse, `after`) was reached. */
  done: boolean;
}

export interface ChannelInfo {
  channel: string;
  /** Entries that the log holds now. */
  entries: number;
  /** Entries ever written. A channel that lost all of them by idle time counts from 0 again. */
  total: number;
  /** The newest entry's position. */
  last: Position;
}

/** What an operator wants to know about the connection to the log. */
export interface BrokerStatus {
  ready: boolean;
  /** Why it is not ready, in words that may be shown to clients. */
  reason?: string;
  /** What endangers entries although the log is ready, such as a Redis that may evict keys. */
  warning?: string;
  /** Times that the connection was lost and is there again. */
  reconnects: number;
  /** Foreign messages that this process put into the log. */
  adopted: number;
}

export interface Broker {
  /**
   * Appends all drafts or none, in order, then announces them. A batch that was stored before, by its stamp, gives nulls.
   * @throws PublishRefused if the log takes none of it; BrokerUnavailable if the outcome is unknown.
   */
  publish(drafts: readonly Draft[], stamp?: WriterStamp): Promise<(string | null)[]>;
  /**
   * Resolves once live delivery has begun. An entry that several of the patterns match is delivered once.
   * @throws BrokerUnavailable if the log cannot be reached now.
   */
  subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription>;
  readPage(query: ReadQuery): Promise<Page>;
  /** The newest position of the log. */
  head(): Promise<Position>;
  /** The position from which a reader gets every entry that the log took at `time` (epoch ms) or later. */
  positionAtTime(time: number): Promise<Position>;
  channels(pattern: string): Promise<ChannelInfo[]>;
  status(): BrokerStatus;
  close(): Promise<void>;
}
