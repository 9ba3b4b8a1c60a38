// Stretches of history that were read a moment ago: viewers who come back together cost one reading and one encoding.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { Chunk } from '../wire/chunk.ts';
import type { FilteredSelection } from './history.ts';
import type { HistoryBlock } from './history-block.ts';

/** Long enough for everybody who was cut off at the same moment; what the log loses meanwhile is still shown. */
const KEEP_MS = 3_000;
/** What a gap takes, about. */
const GAP_BYTES = 200;

/** When the log was read, by a clock that counts beginnings and ends. */
export interface ReadInterval {
  began: number;
  ended: number;
}

/** A stretch, and the reading that it is from. */
export interface CachedBlock {
  block: HistoryBlock;
  interval: ReadInterval;
}

interface CacheEntry {
  query: FilteredSelection;
  after: Position;
  upTo: Position;
  /** Epoch ms; for ever while it is read. */
  until: number;
  bytes: number;
  interval: ReadInterval;
  reading: Promise<HistoryBlock>;
  /** Once it has been read. */
  block: HistoryBlock | undefined;
}

export class HistoryCache {
  readonly #limit: number;
  readonly #byQuery = new WeakMap<FilteredSelection, CacheEntry[]>();
  /** What has been read, oldest first. */
  #filled: CacheEntry[] = [];
  #bytes = 0;
  #clock = 0;
  #sweeper: NodeJS.Timeout | undefined;

  /** `limit`: bytes to keep at most; 0 shares nothing. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * What a reader at `after` needs next, not beyond `upTo`: what somebody else reads or has read, from there on or from
   * one of its entries on, else what `reading` reads: that and what follows it. `told`: the reading by which the reader
   * knows what is missing; an older one may hold what had gone by then. @throws BrokerUnavailable as the reading did
   */
  async readBlock(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
    reading: () => Promise<[HistoryBlock, ...HistoryBlock[]]>,
    told?: ReadInterval,
  ): Promise<CachedBlock> {
    // What was asked for with another bound is waited for once: a crowd with a bound each would read one after another.
    let other = false;
    for (;;) {
      // From here to `#keep` nobody else has a turn: of a crowd at the same place one reads.
      const fresh = this.#usable(query, told);
      const known = findCached(fresh, after, upTo);
      if (known) return known;
      const pending = fresh.filter((kept) => kept.after === after && !kept.block);
      const underWay = pending.find((kept) => kept.upTo === upTo) ?? (other ? undefined : pending[0]);
      if (!underWay) return this.#readAndCache(query, after, upTo, reading());
      const { interval } = underWay;
      const stretch = await underWay.reading;
      // Judged here, too: it may have been too large to keep.
      if (underWay.upTo === upTo) return { block: stretch, interval };
      if (leadsTo(upTo, underWay, stretch)) return { block: endingAt(upTo, stretch), interval };
      other = true;
    }
  }

  #usable(query: FilteredSelection, told: ReadInterval | undefined): CacheEntry[] {
    const now = Date.now();
    return (this.#byQuery.get(query) ?? []).filter(({ until, interval }) => {
      return until >= now && (told === undefined || interval === told || interval.began > told.ended);
    });
  }

  async #readAndCache(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
    stretches: Promise<[HistoryBlock, ...HistoryBlock[]]>,
  ): Promise<CachedBlock> {
    const interval = { began: ++this.#clock, ended: Infinity };
    const reading = stretches.then(([stretch]) => stretch);
    reading.catch(() => undefined); // told to whoever asked, and to those who wait for it
    const kept = this.#insert({ query, after, upTo, interval: interval, reading });
    try {
      const [stretch, ...others] = await stretches;
      interval.ended = ++this.#clock;
      this.#fill(kept, stretch);
      let at = stretch.next;
      for (const other of others) {
        this.#fill(
          this.#insert({ query, after: at, upTo, interval: interval, reading: Promise.resolve(other) }),
          other,
        );
        at = other.next;
      }
      return { block: stretch, interval: interval };
    } catch (error) {
      this.#forget(kept);
      throw error;
    }
  }

  #insert(reading: Pick<CacheEntry, 'query' | 'after' | 'upTo' | 'interval' | 'reading'>): CacheEntry {
    const kept: CacheEntry = { ...reading, until: Infinity, bytes: 0, block: undefined };
    if (this.#limit === 0) return kept;
    const own = this.#byQuery.get(kept.query);
    if (own) own.push(kept);
    else this.#byQuery.set(kept.query, [kept]);
    return kept;
  }

  #fill(kept: CacheEntry, stretch: HistoryBlock): void {
    if (this.#limit === 0) return;
    kept.until = Date.now() + KEEP_MS;
    kept.block = stretch;
    kept.bytes = (stretch.chunk?.framed.length ?? 0) + stretch.gaps.length * GAP_BYTES;
    this.#filled.push(kept);
    this.#bytes += kept.bytes;
    this.#sweeper ??= setInterval(() => this.#sweep(), KEEP_MS).unref();
    while (this.#bytes > this.#limit) this.#drop();
  }

  #sweep(): void {
    const now = Date.now();
    while (this.#filled[0] && this.#filled[0].until < now) this.#drop();
    if (this.#filled.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #drop(): void {
    const kept = this.#filled.shift();
    if (!kept) return;
    this.#bytes -= kept.bytes;
    this.#forget(kept);
  }

  #forget(kept: CacheEntry): void {
    const rest = this.#byQuery.get(kept.query)?.filter((other) => other !== kept) ?? [];
    this.#byQuery.set(kept.query, rest);
  }
}

/** Of what has been read. */
function findCached(all: readonly CacheEntry[], after: Position, upTo: Position): CachedBlock | undefined {
  for (const kept of all) {
    const { block, interval } = kept;
    if (!block || kept.after !== after) continue;
    if (kept.upTo === upTo) return { block, interval };
    if (leadsTo(upTo, kept, block)) return { block: endingAt(upTo, block), interval };
  }
  for (const kept of all) {
    const { block: stretch, interval } = kept;
    if (!stretch || kept.after >= after || stretch.next <= after || !leadsTo(upTo, kept, stretch)) continue;
    const rest = remainderAfter(stretch, after);
    if (rest) return { block: endingAt(upTo, rest), interval: interval };
  }
  return undefined;
}

function endingAt(upTo: Position, stretch: HistoryBlock): HistoryBlock {
  return { ...stretch, done: stretch.next >= upTo };
}

/** One that broke off at its own reader's bound would lead through many small ones to another's. */
function leadsTo(upTo: Position, kept: CacheEntry, stretch: HistoryBlock): boolean {
  return stretch.next > kept.after && stretch.next <= upTo && (!stretch.done || kept.upTo === upTo);
}

/** The part of a complete stretch behind one of its entries. */
function remainderAfter(stretch: HistoryBlock, after: Position): HistoryBlock | undefined {
  const { ends, gaps, chunk } = stretch;
  const end = ends.get(after);
  if (end === undefined || gaps.length > 0 || chunk === null) return undefined;
  const left = chunk.body.subarray(end);
  const passed = [...ends.keys()].indexOf(after) + 1;
  return { ...stretch, chunk: left.length > 0 ? Chunk.of([left]) : null, entries: stretch.entries - passed };
}
