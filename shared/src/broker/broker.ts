// The contract of the log: append and announce, subscribe live, read history. One conformance suite holds for every
// implementation. The promise to readers: each entry once, in order, and whatever is missing is named by a gap.

import type { Draft } from '../entry.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';

/** At most this many entries and bytes of bodies in one `publish`. */
export const MAX_BATCH_ENTRIES = 500;
export const MAX_BATCH_BYTES = 1_048_576;

/** Of one page of history, about, unless it is over very many channels. */
export const PAGE_BYTES = 1_048_576;

/** Makes a retry harmless: `writer` is 128 random bits per process start, `seq` rises with each batch. */
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
  /** The log was wiped or replaced by another. */
  | 'reset'
  /** The log went back: a failover or restore lost a tail that the reader had seen. */
  | 'rollback'
  /** A filtered search of history gave up at its bound. */
  | 'scan_limit'
  /** Messages that were shown live but never stored went by while the reader was behind. */
  | 'not_stored';

/** Whether entries of other channels may lie before the end of such a gap: then it moves no cursor. */
export function mayOverlap(reason: GapReason): boolean {
  return reason === 'trimmed' || reason === 'expired';
}

/**
 * Entries that exist no more, or were never to be had: those of the channel with `after < n < before`; `before - 1` is the
 * newest of them. It is told before any entry after `after`, of whatever channel: a reader who is cut off among those, and
 * goes on from the last it had, is told again what is missing from there on.
 */
export interface Gap {
  /** null: any of the reader's channels. */
  channel: string | null;
  after: Position;
  before: Position;
  reason: GapReason;
  /** How many; null where it cannot be known. */
  missed: number | null;
}

export interface Listener {
  /** Called in order of `n`, each entry once. Must not throw. */
  onRecord(record: LogRecord): void;
  /** Called before the entries that follow the gap. */
  onGap(gap: Gap): void;
  /** Everything up to here on this listener's channels has been delivered. About once a second. */
  onAdvance(position: Position): void;
}

export interface Subscription {
  /** Every entry after this position is delivered, and none before. */
  readonly from: Position;
  close(): void;
}

export interface ReadQuery {
  /** Channels or patterns; an entry that several match comes once. */
  channels: readonly string[];
  /** Exclusive. A forward read proves that nothing is missing after it, or names the gap. */
  after: Position;
  /** Inclusive; the log's head by default. */
  upTo?: Position;
  /** Entries that are wanted. A page over more channels than that may hold more: reading them all is dear. */
  limit: number;
  /** Bytes of entries that are wanted, about: the page ends early where they are larger than most. By default PAGE_BYTES. */
  bytes?: number;
  /** Newest first, from `upTo` backwards; makes no claim about completeness. */
  reverse?: boolean;
  /** Whether nobody waits for it any more: a page that had to wait for its turn is then empty, and leads nowhere. */
  isAbandoned?: () => boolean;
}

/** A record, or a gap. */
export type PageItem = { record: LogRecord; gap?: never } | { gap: Gap; record?: never };

export interface Page {
  /**
   * First all that is known to be missing after `after`, also what lies behind this page: later pages tell it again, for
   * `Told` to leave out. Then the entries in order.
   */
  items: PageItem[];
  /** Where the next read goes on: everything between `after` and here is in the page. */
  next: Position;
  /** True when `upTo` (or, in reverse, `after`) was reached. */
  done: boolean;
}

export interface ChannelInfo {
  channel: string;
  /** Entries kept now. */
  entries: number;
  /** Entries ever written, as far as the log remembers: one that loses all of them by time counts anew. */
  total: number;
  /** The newest entry's position. */
  last: Position;
}

/** What an operator wants to know of the link to the log. */
export interface BrokerStatus {
  ready: boolean;
  /** Why not, in words that may be shown. */
  reason?: string;
  /** What endangers entries although it is ready. */
  warning?: string;
  /** Times the link was lost and taken up again. */
  reconnects: number;
  /** Foreign messages that this process put into the log. */
  adopted: number;
}

export interface Broker {
  /**
   * Appends, then announces; atomic and in order. A batch that the stamp shows to be a repeat gives nulls.
   * @throws PublishRefused when the log takes none of it; BrokerUnavailable when the outcome is unknown.
   */
  publish(drafts: readonly Draft[], stamp?: WriterStamp): Promise<(string | null)[]>;
  /**
   * Resolves once live delivery has begun; an entry that several of the patterns match is delivered once.
   * @throws BrokerUnavailable when the log cannot be reached now.
   */
  subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription>;
  readPage(query: ReadQuery): Promise<Page>;
  /** The log's head. */
  head(): Promise<Position>;
  /** The position from which a reader gets every entry that the log took at `time` (epoch ms) or later. */
  positionAtTime(time: number): Promise<Position>;
  /** The channels that a pattern matches. */
  channels(pattern: string): Promise<ChannelInfo[]>;
  status(): BrokerStatus;
  close(): Promise<void>;
}
