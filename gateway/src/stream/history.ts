// History for viewers: the log's pages, filtered and encoded, with a bound on how much a filtered search may read.

import { type Broker, type Gap, PAGE_BYTES, type Page } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { Told } from '@llm-streamer/shared/broker/told.ts';
import { Pace } from '@llm-streamer/shared/pace.ts';
import { compileFilter, type Filter } from './filter.ts';
import { type GapCounts, gapCounts } from './metrics.ts';
import type { Selection, Start } from './query.ts';
import { type Shared, SharedStretches, type Span } from './shared-stretches.ts';
import { STRETCH_BYTES, type Stretch, toStretches } from './stretch.ts';
import { Turns } from './turns.ts';

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
export interface Query {
  selection: Selection;
  filter: Filter | null;
  /** Whether nobody wants it any more. */
  readonly closed?: boolean;
}

/** How far a viewer has read, and up to where it goes. */
export interface Progress {
  after: Position;
  upTo: Position;
  /** Entries read so far. */
  scanned: number;
  /** By which the viewer was told what is missing ahead. */
  told?: Span | undefined;
}

/** Where to search: after `after`, up to and with `upTo`. */
export interface Range {
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
  isGone?: () => boolean;
}

export interface Found {
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

export interface Beginning {
  /** Entries after it are sent. */
  position: Position;
  /** Told first: what a bounded search may have left out. */
  gap?: Gap;
}

export class History {
  readonly #broker: Broker;
  readonly #scanLimit: number;
  readonly #shared: SharedStretches;
  /** Of a query's frames, as read last: no more should be asked of the log than a stretch can hold. */
  readonly #meanBytes = new WeakMap<Query, number>();
  /** Holes that viewers of history were told of. */
  readonly gaps: GapCounts;
  /** For all viewers who begin, or send what they have read. */
  readonly turns = new Turns();
  readonly #pace = new Pace();

  constructor(broker: Broker, gaps = gapCounts(), tuning: Partial<HistoryTuning> = {}) {
    const { scanLimit, shareBytes } = { ...TUNING, ...tuning };
    this.#broker = broker;
    this.#scanLimit = scanLimit;
    this.#shared = new SharedStretches(shareBytes);
    this.gaps = gaps;
  }

  /** The newest entry's position. @throws BrokerUnavailable */
  head(): Promise<Position> {
    return this.#broker.position();
  }

  /** Where a stream begins; `now` for one that asks for nothing older. @throws BrokerUnavailable */
  async begin(start: Start, selection: Selection, now: Position, isGone = () => false): Promise<Beginning> {
    if (start.from === 'now') return { position: now };
    if (start.from === 'position') return { position: start.position };
    if (start.from === 'time') return { position: Math.min(now, await this.#broker.locate(start.time)) };
    return this.#tail(selection, {
      after: 0,
      upTo: now,
      limit: start.count,
      reverse: true,
      placesOnly: true,
      isGone,
    });
  }

  /**
   * The entries of a view after `after`, a page of the log at a time; a filtered reading gives up at its bound, with a gap
   * of reason `scan_limit`.
   */
  async read(view: Query, { after, upTo, scanned, told }: Progress): Promise<Shared> {
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
      return { stretch: gaveUp, span: { began: 0, ended: 0 } };
    }
    return this.#shared.read(view, after, upTo, () => this.#stretches(view, after, upTo), told);
  }

  async #stretches(query: Query, after: Position, upTo: Position): Promise<[Stretch, ...Stretch[]]> {
    const { selection, filter } = query;
    const { channels } = selection;
    const fitting = Math.ceil(STRETCH_BYTES / (this.#meanBytes.get(query) ?? 1));
    const limit = filter === null ? Math.min(PAGE, fitting) : PAGE;
    const isGone = () => query.closed === true;
    const page = await this.#broker.read({ channels, after, upTo, limit, isGone });
    const stretches = await toStretches(page, after, filter, this.#pace);
    const [{ chunk, entries }] = stretches;
    if (chunk) this.#meanBytes.set(query, chunk.body.length / entries);
    return stretches;
  }

  /**
   * Up to `limit` entries and about `bytes` of them that pass, oldest first after `after`, or newest first from `upTo`; and
   * what is missing, also behind them.
   */
  async find({ selection: { channels }, filter }: Query, range: Range): Promise<Found> {
    const { after, upTo, limit, bytes = Number.POSITIVE_INFINITY, reverse, isGone = () => false } = range;
    const found = nothingFrom(reverse ? upTo : after);
    const bounds = { ...range, bytes, told: new Told(), filter, pace: this.#pace };
    for (let scanned = 0; !found.done && !isFull(found, bounds) && !isGone(); ) {
      const { next } = found;
      if (filter !== null && scanned >= this.#scanLimit) {
        const unread = reverse ? { after, before: next + 1 } : { after: next, before: upTo + 1 };
        found.gaps.push({ channel: null, ...unread, reason: 'scan_limit', missed: null });
        return found;
      }
      const page = await this.#broker.read({
        channels,
        ...(reverse ? { after, upTo: next, reverse } : { after: next, upTo }),
        limit: filter === null ? Math.min(PAGE, limit - found.count) : PAGE,
        bytes: filter === null ? Math.min(PAGE_BYTES, bytes - found.bytes) : PAGE_BYTES,
        isGone,
      });
      const scannable = filter === null ? Number.POSITIVE_INFINITY : this.#scanLimit - scanned;
      scanned += await take(found, page, { ...bounds, scannable });
    }
    return found;
  }

  async #tail(selection: Selection, range: Range): Promise<Beginning> {
    const query = { selection, filter: compileFilter(selection) };
    const { count, last, gaps } = await this.find(query, range);
    return { position: count > 0 ? last - 1 : range.upTo, ...(gaps[0] && { gap: gaps[0] }) };
  }
}

/** Where a search begins. */
export function nothingFrom(next: Position): Found {
  return { records: [], count: 0, bytes: 0, last: 0, gaps: [], next, done: false };
}

interface Taking extends Range {
  bytes: number;
  told: Told;
  filter: Filter | null;
  pace: Pace;
}

function isFull({ count, bytes }: Found, most: Taking): boolean {
  return count >= most.limit || bytes >= most.bytes;
}

/** Adds what passes, and returns how many entries it read. What is beyond a bound stays for whoever asks from `next` on. */
async function take(
  found: Found,
  { items, next, done }: Page,
  taking: Taking & { scannable: number },
): Promise<number> {
  const { reverse, placesOnly, told, filter, pace, scannable } = taking;
  let scanned = 0;
  let last: LogRecord | undefined;
  for (const { record, gap } of items) {
    const turn = pace.turn();
    if (turn) await turn;
    if (gap) {
      const news = told.news(gap);
      if (news) found.gaps.push(news);
      continue;
    }
    if (last && (scanned === scannable || isFull(found, taking))) {
      found.next = reverse ? last.n - 1 : last.n;
      return scanned;
    }
    scanned++;
    last = record;
    if (filter !== null && !filter(record)) continue;
    if (!placesOnly) found.records.push(record.detached());
    found.count++;
    found.bytes += record.data.length;
    found.last = record.n;
  }
  found.next = next;
  found.done = done;
  return scanned;
}
