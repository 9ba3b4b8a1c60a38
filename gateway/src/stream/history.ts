// History for viewers: the log's pages, filtered and encoded, with a bound on how much a filtered search may read.

import type { Broker, Gap, GapReason, Page } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { Chunk } from './chunk.ts';
import { compileFilter, type Filter } from './filter.ts';
import { entryFrame, gapFrame } from './frame.ts';
import { type GapCounts, gapCounts } from './metrics.ts';
import type { Selection, Start } from './query.ts';
import { SharedStretches } from './shared-stretches.ts';
import { Turns } from './turns.ts';

const PAGE = 500;
/** About what a viewer that does not drain may hold of its own: history is not shared as a view's segments are. */
const STRETCH_BYTES = 131_072;

/** A stretch of history, encoded: for whoever reads the same. */
export interface Stretch {
  chunk: Chunk | null;
  entries: number;
  /** Where each entry ends in the chunk's body. */
  ends: ReadonlyMap<Position, number>;
  gaps: readonly GapReason[];
  /** Entries read to find these. */
  scanned: number;
  /** Where the next stretch begins. */
  next: Position;
  done: boolean;
}

/** What is read: a view, or anything with its selection. */
export interface Query {
  selection: Selection;
  filter: Filter | null;
}

/** Where to search: after `after`, up to and with `upTo`. */
export interface Range {
  after: Position;
  upTo: Position;
  limit: number;
  /** Newest first. */
  reverse?: boolean;
}

export interface Found {
  records: LogRecord[];
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
  /** Holes that viewers of history were told of. */
  readonly gaps: GapCounts;
  /** For all viewers who send what they have read. */
  readonly turns = new Turns();

  /** `scanLimit`: entries that one filtered search reads at most; `shareBytes`: of what was read, kept for others. */
  constructor(broker: Broker, scanLimit: number, shareBytes: number, gaps = gapCounts()) {
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
  async begin(start: Start, selection: Selection, now: Position): Promise<Beginning> {
    if (start.from === 'now') return { position: now };
    if (start.from === 'position') return { position: start.position };
    if (start.from === 'time') return { position: Math.min(now, await this.#broker.locate(start.time)) };
    return this.#tail(start.count, selection, now);
  }

  /**
   * The entries of a view after `after`, a page of the log at a time. `origin` is where the reading began, `scanned` how
   * many entries it has read so far: a filtered reading gives up at its bound, with a gap of reason `scan_limit`.
   */
  async read(
    view: Query,
    after: Position,
    origin: Position,
    upTo: Position,
    scanned: number,
  ): Promise<Stretch> {
    if (view.filter !== null && scanned >= this.#scanLimit) {
      this.gaps.scan_limit++;
      const gap: Gap = { channel: null, after, before: upTo + 1, reason: 'scan_limit', missed: null };
      const chunk = Chunk.of([gapFrame(gap)]);
      return { chunk, entries: 0, ends: new Map(), gaps: [gap.reason], scanned: 0, next: upTo, done: true };
    }
    let stretch = await this.#shared.find(view, after, origin, upTo);
    if (!stretch) {
      const reading = this.#stretch(view, after, origin, upTo);
      this.#shared.keep(view, after, origin, upTo, reading);
      stretch = await reading;
    }
    for (const reason of stretch.gaps) this.gaps[reason]++;
    return stretch;
  }

  async #stretch(
    { selection: { channels }, filter }: Query,
    after: Position,
    origin: Position,
    upTo: Position,
  ): Promise<Stretch> {
    const page = await this.#broker.read({ channels, after, origin, upTo, limit: PAGE });
    let { next, done } = page;
    const frames: Buffer[] = [];
    const ends = new Map<Position, number>();
    const gaps: GapReason[] = [];
    let bytes = 0;
    let scanned = 0;
    let last: LogRecord | undefined;
    for (const { record, gap } of page.items) {
      // Only behind an entry: a gap that was told must not be met again from the place where the next stretch begins.
      if (bytes >= STRETCH_BYTES && last) {
        next = last.n;
        done = false;
        break;
      }
      scanned++;
      last = record;
      if (record && filter !== null && !filter(record)) continue;
      const frame = gap ? gapFrame(gap) : entryFrame(record);
      frames.push(frame);
      bytes += frame.length;
      if (gap) gaps.push(gap.reason);
      else ends.set(record.n, bytes);
    }
    const chunk = frames.length > 0 ? Chunk.of(frames) : null;
    return { chunk, entries: ends.size, ends, gaps, scanned, next, done };
  }

  /** Up to `limit` entries that pass, with the gaps between them: oldest first after `after`, or newest first from `upTo`. */
  async find(
    { selection: { channels }, filter }: Query,
    { after, upTo, limit, reverse = false }: Range,
  ): Promise<Found> {
    const found: Found = { records: [], gaps: [], next: reverse ? upTo : after, done: false };
    for (let scanned = 0; !found.done && found.records.length < limit; ) {
      const { next } = found;
      if (filter !== null && scanned >= this.#scanLimit) {
        const unread = reverse ? { after, before: next + 1 } : { after: next, before: upTo + 1 };
        found.gaps.push({ channel: null, ...unread, reason: 'scan_limit', missed: null });
        return found;
      }
      const page = await this.#broker.read({
        channels,
        ...(reverse ? { after, upTo: next, reverse } : { after: next, origin: after, upTo }),
        limit: filter === null ? Math.min(PAGE, limit - found.records.length) : PAGE,
      });
      scanned += page.items.length;
      take(found, page, filter, limit, reverse);
    }
    return found;
  }

  async #tail(count: number, selection: Selection, now: Position): Promise<Beginning> {
    const query = { selection, filter: compileFilter(selection) };
    const { records, gaps } = await this.find(query, { after: 0, upTo: now, limit: count, reverse: true });
    const oldest = records.at(-1);
    return { position: oldest ? oldest.n - 1 : now, ...(gaps[0] && { gap: gaps[0] }) };
  }
}

/** Adds what passes. What is beyond `limit` stays for whoever asks from `next` on. */
function take(
  found: Found,
  { items, next, done }: Page,
  filter: Filter | null,
  limit: number,
  reverse: boolean,
) {
  const { records, gaps } = found;
  for (const { record, gap } of items) {
    if (record && filter !== null && !filter(record)) continue;
    if (records.length === limit) {
      const { n } = records[limit - 1] as LogRecord;
      found.next = reverse ? n - 1 : n;
      return;
    }
    if (record) records.push(record);
    else gaps.push(gap);
  }
  found.next = next;
  found.done = done;
}
