// History for viewers: the log's pages, filtered and encoded, with a bound on how much a filtered search may read.

import {
  type Broker,
  type Gap,
  PAGE_BYTES,
  type Page,
  type ReadQuery,
} from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { readPages } from '@llm-streamer/shared/broker/read-pages.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { type GapCounts, gapCounts } from '../metrics.ts';
import { compileFilter, type Filter } from '../query/filter.ts';
import type { Selection, Start } from '../query/query.ts';
import { WriteBudget } from '../wire/write-budget.ts';
import { BLOCK_BYTES, type HistoryBlock, toHistoryBlocks } from './history-block.ts';
import { type CachedBlock, HistoryCache, type ReadInterval } from './history-cache.ts';

const PAGE = 500;

/** What only tests change. */
export interface HistoryTuning {
  /** Entries that one filtered search reads at most. */
  scanLimit: number;
  /** Bytes of history that are kept after they were read, for others who ask for the same; 0 keeps nothing. */
  shareBytes: number;
}

const TUNING: HistoryTuning = {
  // Ten channels that are full by the default RETENTION_ENTRIES: most searches end before, and none occupies Redis for long.
  scanLimit: 100_000,
  // History over very many channels is long; with less than this, viewers who come back together would each read it.
  shareBytes: 33_554_432,
};

/** What is read: a view, or anything with its selection. */
export interface FilteredSelection {
  selection: Selection;
  filter: Filter | null;
  /** Whether nobody wants it any more. */
  readonly closed?: boolean;
}

/** How far a viewer has read, and up to where it goes. */
export interface ReplayProgress {
  after: Position;
  upTo: Position;
  /** Entries read so far. */
  scanned: number;
  /** By which the viewer was told what is missing ahead. */
  reportedBy?: ReadInterval | undefined;
}

/** Where to search: after `after`, up to and with `upTo`. */
export interface SearchRange {
  after: Position;
  upTo: Position;
  limit: number;
  /** Bytes of the entries that are found, at which the search ends early; no bound by default. */
  bytes?: number;
  /** Newest first. */
  reverse?: boolean;
  /** Only how many there are and where the last one is: the entries themselves would take megabytes. */
  placesOnly?: boolean;
  /** Whether nobody waits for it any more: then the search ends with the page it is at. */
  isAbandoned?: () => boolean;
}

export interface SearchResult {
  records: LogRecord[];
  /** How many were found, their bytes, and the place of the last one; 0 where there is none. */
  count: number;
  bytes: number;
  last: Position;
  gaps: Gap[];
  /** Where the search goes on; in reverse, downwards from here and with it. */
  next: Position;
  done: boolean;
}

export interface StartPoint {
  /** Entries after it are sent. */
  position: Position;
  /** Told first: what a bounded search may have left out. */
  gap?: Gap;
}

export class History {
  readonly #broker: Broker;
  readonly #scanLimit: number;
  readonly #cache: HistoryCache;
  /** Of a query's frames, as read last: no more should be asked of the log than a stretch can hold. */
  readonly #meanBytes = new WeakMap<FilteredSelection, number>();
  /** Gaps that viewers of history were told of. */
  readonly gaps: GapCounts;
  /** For all viewers who begin, or send what they have read. */
  readonly writeBudget = new WriteBudget();
  readonly #pace = new TimeSlicer();

  constructor(broker: Broker, gaps = gapCounts(), tuning: Partial<HistoryTuning> = {}) {
    const { scanLimit, shareBytes } = { ...TUNING, ...tuning };
    this.#broker = broker;
    this.#scanLimit = scanLimit;
    this.#cache = new HistoryCache(shareBytes);
    this.gaps = gaps;
  }

  /** The newest entry's position. @throws BrokerUnavailable */
  head(): Promise<Position> {
    return this.#broker.head();
  }

  /** Where a stream begins; `now` for one that asks for nothing older. @throws BrokerUnavailable */
  async locateStart(
    start: Start,
    selection: Selection,
    now: Position,
    isGone = () => false,
  ): Promise<StartPoint> {
    if (start.from === 'now') return { position: now };
    if (start.from === 'position') return { position: start.position };
    if (start.from === 'time')
      return { position: Math.min(now, await this.#broker.positionAtTime(start.time)) };
    return this.#tail(selection, {
      after: 0,
      upTo: now,
      limit: start.count,
      reverse: true,
      placesOnly: true,
      isAbandoned: isGone,
    });
  }

  /**
   * The entries of a view after `after`, a page of the log at a time; a filtered reading gives up at its bound, with a gap
   * of reason `scan_limit`.
   */
  async readBlock(
    view: FilteredSelection,
    { after, upTo, scanned, reportedBy }: ReplayProgress,
  ): Promise<CachedBlock> {
    if (view.filter !== null && scanned >= this.#scanLimit) {
      const gap: Gap = { channel: null, after, before: upTo + 1, reason: 'scan_limit', missed: null };
      const gaveUp = {
        gaps: [gap],
        chunk: null,
        entries: 0,
        ends: new Map(),
        scanned: 0,
        next: upTo,
        done: true,
      };
      return { block: gaveUp, interval: { began: 0, ended: 0 } };
    }
    return this.#cache.readBlock(view, after, upTo, () => this.#readBlocks(view, after, upTo), reportedBy);
  }

  async #readBlocks(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
  ): Promise<[HistoryBlock, ...HistoryBlock[]]> {
    const { selection, filter } = query;
    const { channels } = selection;
    const fitting = Math.ceil(BLOCK_BYTES / (this.#meanBytes.get(query) ?? 1));
    const limit = filter === null ? Math.min(PAGE, fitting) : PAGE;
    const isGone = () => query.closed === true;
    const page = await this.#broker.readPage({ channels, after, upTo, limit, isAbandoned: isGone });
    const stretches = await toHistoryBlocks(page, after, filter, this.#pace);
    const [{ chunk, entries }] = stretches;
    if (chunk) this.#meanBytes.set(query, chunk.body.length / entries);
    return stretches;
  }

  /**
   * Up to `limit` entries and about `bytes` of them that pass, oldest first after `after`, or newest first from `upTo`; and
   * what is missing, also behind them.
   */
  async search(
    { selection: { channels }, filter }: FilteredSelection,
    range: SearchRange,
  ): Promise<SearchResult> {
    const {
      after,
      upTo,
      limit,
      bytes = Number.POSITIVE_INFINITY,
      reverse,
      isAbandoned = () => false,
    } = range;
    const found = nothingFrom(reverse ? upTo : after);
    const bounds = { ...range, bytes, filter, pace: this.#pace };
    // Without a filter every entry is found, so that no page need be larger than what is still wanted.
    const readPage = (query: ReadQuery) =>
      this.#broker.readPage(
        filter === null
          ? {
              ...query,
              limit: Math.min(PAGE, limit - found.count),
              bytes: Math.min(PAGE_BYTES, bytes - found.bytes),
            }
          : query,
      );
    const query = { channels, after, upTo, limit: PAGE, isAbandoned, ...(reverse && { reverse }) };
    let scanned = 0;
    for await (const page of readPages({ readPage }, query)) {
      const scannable = filter === null ? Number.POSITIVE_INFINITY : this.#scanLimit - scanned;
      scanned += await collectPassing(found, page, { ...bounds, scannable });
      if (found.done || isFull(found, bounds) || isAbandoned()) break;
      if (filter === null || scanned < this.#scanLimit) continue;
      const unread = reverse ? { after, before: found.next + 1 } : { after: found.next, before: upTo + 1 };
      found.gaps.push({ channel: null, ...unread, reason: 'scan_limit', missed: null });
      break;
    }
    return found;
  }

  async #tail(selection: Selection, range: SearchRange): Promise<StartPoint> {
    const query = { selection, filter: compileFilter(selection) };
    const { count, last, gaps } = await this.search(query, range);
    return { position: count > 0 ? last - 1 : range.upTo, ...(gaps[0] && { gap: gaps[0] }) };
  }
}

/** Where a search begins. */
export function nothingFrom(next: Position): SearchResult {
  return { records: [], count: 0, bytes: 0, last: 0, gaps: [], next, done: false };
}

interface Taking extends SearchRange {
  bytes: number;
  filter: Filter | null;
  pace: TimeSlicer;
}

function isFull({ count, bytes }: SearchResult, most: Taking): boolean {
  return count >= most.limit || bytes >= most.bytes;
}

/** Adds what passes, and returns how many entries it read. What is beyond a bound stays for whoever asks from `next` on. */
async function collectPassing(
  found: SearchResult,
  { items, next, done }: Page,
  taking: Taking & { scannable: number },
): Promise<number> {
  const { reverse, placesOnly, filter, pace, scannable } = taking;
  let scanned = 0;
  let last: LogRecord | undefined;
  for (const { record, gap } of items) {
    const turn = pace.pauseIfDue();
    if (turn) await turn;
    if (gap) {
      found.gaps.push(gap);
      continue;
    }
    if (last && (scanned === scannable || isFull(found, taking))) {
      found.next = reverse ? last.n - 1 : last.n;
      return scanned;
    }
    scanned++;
    last = record;
    if (filter !== null && !filter(record)) continue;
    if (!placesOnly) found.records.push(record.withOwnBytes());
    found.count++;
    found.bytes += record.data.length;
    found.last = record.n;
  }
  found.next = next;
  found.done = done;
  return scanned;
}
