// Gives history to viewers and to the routes that answer with pages: the log's pages, filtered. One filtered search reads a bounded
// number of entries.

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
import { compileFilter, type Filter } from '../query/filter.ts';
import type { FilteredSelection } from '../query/filtered-selection.ts';
import type { Selection, Start } from '../query/query.ts';
import { BLOCK_BYTES, type HistoryBlock, toHistoryBlocks } from './history-block.ts';
import { type CachedBlock, HistoryCache, type ReadInterval } from './history-cache.ts';

/** Entries that are asked of the log at a time. */
const PAGE_ENTRIES = 500;

/** Settings that only tests change. */
export interface HistoryTuning {
  /** Entries that one filtered search reads at most. */
  scanLimit: number;
  /** Bytes of history that are kept after they were read, for others who ask for the same; 0 keeps nothing. */
  shareBytes: number;
  /** Milliseconds for which it is kept. An entry that the log removes meanwhile is still shown for as long. */
  shareMs: number;
}

const TUNING: HistoryTuning = {
  // As many entries as ten channels hold that are full by the default RETENTION_ENTRIES. Most searches end before that.
  scanLimit: 100_000,
  // Enough to keep the history of very many channels. What is not kept, each of the viewers who come back together reads anew.
  shareBytes: 33_554_432,
  // Enough for viewers who lost their connections together.
  shareMs: 3_000,
};

/** How far a viewer has read, and how far it will read. */
export interface ReplayProgress {
  after: Position;
  upTo: Position;
  /** Entries that were read for this replay so far. */
  scanned: number;
  /** The read from which the viewer knows what is missing; see `HistoryCache.readBlock`. */
  reportedBy?: ReadInterval | undefined;
}

/** What to search: entries with `after` < n ≤ `upTo`. */
export interface SearchRange {
  after: Position;
  upTo: Position;
  limit: number;
  /** The search ends early once it has found this many bytes of entries; without limit by default. */
  bytes?: number;
  /** Newest first. */
  reverse?: boolean;
  /** If true, the result has the count and the last position alone, since the entries themselves could take megabytes. */
  positionsOnly?: boolean;
  /** True once nobody waits for the result. Then the search ends with the page that it is reading. */
  isAbandoned?: () => boolean;
}

export interface SearchResult {
  records: LogRecord[];
  /** How many entries were found, how many bytes they have, and the position of the last one; 0 if there is none. */
  count: number;
  bytes: number;
  last: Position;
  gaps: Gap[];
  /** Where to continue: with `after: next`, or in reverse with `upTo: next`. */
  next: Position;
  done: boolean;
}

/** The position at which a stream begins. */
export interface StartPoint {
  /** Entries after it are sent. */
  position: Position;
  /** Reported first: entries that the search for the beginning may have left out because of its bound. */
  gap?: Gap;
}

export class History {
  readonly #broker: Broker;
  readonly #scanLimit: number;
  readonly #cache: HistoryCache;
  /** The mean size of a query's frames in its last block. It keeps a read from asking for more entries than a block holds. */
  readonly #meanBytes = new WeakMap<FilteredSelection, number>();
  readonly #slicer = new TimeSlicer();

  constructor(broker: Broker, tuning: Partial<HistoryTuning> = {}) {
    const { scanLimit, shareBytes, shareMs } = { ...TUNING, ...tuning };
    this.#broker = broker;
    this.#scanLimit = scanLimit;
    this.#cache = new HistoryCache(shareBytes, shareMs);
  }

  /** The newest entry's position. @throws BrokerUnavailable */
  head(): Promise<Position> {
    return this.#broker.head();
  }

  /** Where a stream begins; `now` is the answer for a stream that asks for no history. @throws BrokerUnavailable */
  async locateStart(
    start: Start,
    selection: Selection,
    now: Position,
    isAbandoned = () => false,
  ): Promise<StartPoint> {
    if (start.from === 'now') return { position: now };
    if (start.from === 'position') return { position: start.position };
    if (start.from === 'time')
      return { position: Math.min(now, await this.#broker.positionAtTime(start.time)) };
    return this.#locateTail(selection, {
      after: 0,
      upTo: now,
      limit: start.count,
      reverse: true,
      positionsOnly: true,
      isAbandoned,
    });
  }

  /**
   * The next block for a viewer that replays history. A filtered replay that has read as much as it may gets an empty block up
   * to its end, with a gap of reason `scan_limit`. @throws BrokerUnavailable
   */
  async readBlock(
    query: FilteredSelection,
    { after, upTo, scanned, reportedBy }: ReplayProgress,
  ): Promise<CachedBlock> {
    if (query.filter !== null && scanned >= this.#scanLimit) {
      const gap: Gap = { channel: null, after, before: upTo + 1, reason: 'scan_limit', missed: null };
      const empty = { chunk: null, entries: 0, ends: new Map(), scanned: 0 };
      return { block: { ...empty, gaps: [gap], next: upTo, done: true }, interval: { began: 0, ended: 0 } };
    }
    return this.#cache.readBlock(query, after, upTo, () => this.#readBlocks(query, after, upTo), reportedBy);
  }

  async #readBlocks(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
  ): Promise<[HistoryBlock, ...HistoryBlock[]]> {
    const { selection, filter } = query;
    const { channels } = selection;
    const fitting = Math.ceil(BLOCK_BYTES / (this.#meanBytes.get(query) ?? 1));
    const limit = filter === null ? Math.min(PAGE_ENTRIES, fitting) : PAGE_ENTRIES;
    const isAbandoned = () => query.closed === true;
    const page = await this.#broker.readPage({ channels, after, upTo, limit, isAbandoned });
    const blocks = await toHistoryBlocks(page, after, filter, this.#slicer);
    const [{ chunk, entries }] = blocks;
    if (chunk) this.#meanBytes.set(query, chunk.body.length / entries);
    return blocks;
  }

  /**
   * Up to `limit` entries that pass the filter, and about `bytes` of them: oldest first after `after`, or newest first from
   * `upTo`. `gaps` also holds gaps beyond these entries. @throws BrokerUnavailable
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
    const bounds = { ...range, bytes, filter, slicer: this.#slicer };
    // Without a filter every entry is found, so that no page need be larger than what is still wanted.
    const readPage = (query: ReadQuery) =>
      this.#broker.readPage(
        filter === null
          ? {
              ...query,
              limit: Math.min(PAGE_ENTRIES, limit - found.count),
              bytes: Math.min(PAGE_BYTES, bytes - found.bytes),
            }
          : query,
      );
    const query = { channels, after, upTo, limit: PAGE_ENTRIES, isAbandoned, ...(reverse && { reverse }) };
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

  async #locateTail(selection: Selection, range: SearchRange): Promise<StartPoint> {
    const query = { selection, filter: compileFilter(selection) };
    const { count, last, gaps } = await this.search(query, range);
    return { position: count > 0 ? last - 1 : range.upTo, ...(gaps[0] && { gap: gaps[0] }) };
  }
}

/** The result of a search that has found nothing yet, and continues from `next`. */
export function nothingFrom(next: Position): SearchResult {
  return { records: [], count: 0, bytes: 0, last: 0, gaps: [], next, done: false };
}

interface Search extends SearchRange {
  bytes: number;
  filter: Filter | null;
  slicer: TimeSlicer;
}

function isFull({ count, bytes }: SearchResult, search: Search): boolean {
  return count >= search.limit || bytes >= search.bytes;
}

/**
 * Adds the entries of a page that pass the filter to `found`, and returns how many entries it has looked at. It stops where the
 * result is full or `scannable` entries have been looked at; a search that continues from `found.next` finds the rest of the page.
 */
async function collectPassing(
  found: SearchResult,
  { items, next, done }: Page,
  search: Search & { scannable: number },
): Promise<number> {
  const { reverse, positionsOnly, filter, slicer, scannable } = search;
  let scanned = 0;
  let last: LogRecord | undefined;
  for (const { record, gap } of items) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    if (gap) {
      found.gaps.push(gap);
      continue;
    }
    if (last && (scanned === scannable || isFull(found, search))) {
      found.next = reverse ? last.n - 1 : last.n;
      return scanned;
    }
    scanned++;
    last = record;
    if (filter !== null && !filter(record)) continue;
    if (!positionsOnly) found.records.push(record.withOwnBytes());
    found.count++;
    found.bytes += record.data.length;
    found.last = record.n;
  }
  found.next = next;
  found.done = done;
  return scanned;
}
