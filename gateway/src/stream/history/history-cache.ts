// Keeps blocks of history for a few seconds after they were read. Viewers who come back together, as after a restart, then cost one
// read and one encoding. Each viewer gets exactly what it would have read alone.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { FilteredSelection } from '../query/filtered-selection.ts';
import { Chunk } from '../wire/chunk.ts';
import type { HistoryBlock } from './history-block.ts';

/** About how many bytes a gap takes. */
const GAP_BYTES = 200;

/**
 * When a read of the log began and ended, by a clock that counts the beginnings and ends of reads. For example, a read that begins
 * first and ends after another has begun is { began: 1, ended: 3 }.
 */
export interface ReadInterval {
  began: number;
  ended: number;
}

/** A block, and the interval of the read that it comes from. */
export interface CachedBlock {
  block: HistoryBlock;
  interval: ReadInterval;
}

/** A read that is under way, or a block that has been read. */
interface CacheEntry {
  query: FilteredSelection;
  after: Position;
  upTo: Position;
  /** When the block is dropped, epoch ms; Infinity while it is being read. */
  until: number;
  bytes: number;
  interval: ReadInterval;
  reading: Promise<HistoryBlock>;
  /** Undefined while it is being read. */
  block: HistoryBlock | undefined;
}

export class HistoryCache {
  readonly #limit: number;
  readonly #keepMs: number;
  readonly #byQuery = new WeakMap<FilteredSelection, CacheEntry[]>();
  /** Entries whose block has been read, oldest first. */
  #filled: CacheEntry[] = [];
  #bytes = 0;
  #clock = 0;
  #sweeper: NodeJS.Timeout | undefined;

  /** `limit`: bytes to keep at most; 0 keeps nothing, and shares nothing. `keepMs`: how long a block is kept. */
  constructor(limit: number, keepMs: number) {
    this.#limit = limit;
    this.#keepMs = keepMs;
  }

  /**
   * The block that follows `after`, up to `upTo` at most.
   *
   * 1. A block in the cache that begins at `after` is given as it is. One that holds the entry at `after` is given from there
   *    on: with a block of (100, 140] a viewer at 120 gets (120, 140].
   * 2. Otherwise, if the log is being read from `after`, the caller waits for that read.
   * 3. Otherwise the caller reads: `read` gives the block, and maybe blocks that follow it, which are kept as well.
   *
   * `reportedBy`: the read from which the viewer knows what is missing. It gets only blocks of that read, or of reads that
   * began after that one had ended. An example: a read reports that 103 is gone. A block from an earlier read may still hold
   * 103, and the viewer would get an entry that it knows as missing. @throws BrokerUnavailable, as `read` does
   */
  async readBlock(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
    read: () => Promise<[HistoryBlock, ...HistoryBlock[]]>,
    reportedBy?: ReadInterval,
  ): Promise<CachedBlock> {
    // A read with another `upTo` is waited for only once. Otherwise viewers with a different `upTo` each would read one after
    // another.
    let hasWaited = false;
    for (;;) {
      // From here until `#insert` nothing is awaited, so that of many viewers with the same cursor only one reads.
      const usable = this.#usable(query, reportedBy);
      const cached = findCached(usable, after, upTo);
      if (cached) return cached;
      const pending = usable.filter((entry) => entry.after === after && !entry.block);
      const underWay = pending.find((entry) => entry.upTo === upTo) ?? (hasWaited ? undefined : pending[0]);
      if (!underWay) return this.#readAndCache(query, after, upTo, read());
      const { interval } = underWay;
      const block = await underWay.reading;
      // The block is judged here and not looked up in the cache, which may have been too small to keep it.
      if (underWay.upTo === upTo) return { block, interval };
      if (leadsTo(upTo, underWay, block)) return { block: endingAt(upTo, block), interval };
      hasWaited = true;
    }
  }

  #usable(query: FilteredSelection, reportedBy: ReadInterval | undefined): CacheEntry[] {
    const now = Date.now();
    return (this.#byQuery.get(query) ?? []).filter(({ until, interval }) => {
      const isConsistent =
        reportedBy === undefined || interval === reportedBy || interval.began > reportedBy.ended;
      return until >= now && isConsistent;
    });
  }

  async #readAndCache(
    query: FilteredSelection,
    after: Position,
    upTo: Position,
    blocks: Promise<[HistoryBlock, ...HistoryBlock[]]>,
  ): Promise<CachedBlock> {
    const interval = { began: ++this.#clock, ended: Infinity };
    const reading = blocks.then(([block]) => block);
    reading.catch(() => undefined); // the caller gets the error from `blocks`, and those who wait get it from `reading`
    const entry = this.#insert({ query, after, upTo, interval, reading });
    try {
      const [block, ...others] = await blocks;
      interval.ended = ++this.#clock;
      this.#fill(entry, block);
      let at = block.next;
      for (const other of others) {
        const reading = Promise.resolve(other);
        this.#fill(this.#insert({ query, after: at, upTo, interval, reading }), other);
        at = other.next;
      }
      return { block, interval };
    } catch (error) {
      this.#forget(entry);
      throw error;
    }
  }

  #insert(reading: Pick<CacheEntry, 'query' | 'after' | 'upTo' | 'interval' | 'reading'>): CacheEntry {
    const entry: CacheEntry = { ...reading, until: Infinity, bytes: 0, block: undefined };
    if (this.#limit === 0) return entry;
    const ofQuery = this.#byQuery.get(entry.query);
    if (ofQuery) ofQuery.push(entry);
    else this.#byQuery.set(entry.query, [entry]);
    return entry;
  }

  #fill(entry: CacheEntry, block: HistoryBlock): void {
    if (this.#limit === 0) return;
    entry.until = Date.now() + this.#keepMs;
    entry.block = block;
    entry.bytes = (block.chunk?.framed.length ?? 0) + block.gaps.length * GAP_BYTES;
    this.#filled.push(entry);
    this.#bytes += entry.bytes;
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#keepMs).unref();
    while (this.#bytes > this.#limit) this.#dropOldest();
  }

  #sweep(): void {
    const now = Date.now();
    while (this.#filled[0] && this.#filled[0].until < now) this.#dropOldest();
    if (this.#filled.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #dropOldest(): void {
    const entry = this.#filled.shift();
    if (!entry) return;
    this.#bytes -= entry.bytes;
    this.#forget(entry);
  }

  #forget(entry: CacheEntry): void {
    const rest = this.#byQuery.get(entry.query)?.filter((other) => other !== entry) ?? [];
    this.#byQuery.set(entry.query, rest);
  }
}

/** Prefers a block that begins at `after`, because the rest of a block that only holds the entry at `after` has to be copied. */
function findCached(
  entries: readonly CacheEntry[],
  after: Position,
  upTo: Position,
): CachedBlock | undefined {
  for (const entry of entries) {
    const { block, interval } = entry;
    if (!block || entry.after !== after) continue;
    if (entry.upTo === upTo) return { block, interval };
    if (leadsTo(upTo, entry, block)) return { block: endingAt(upTo, block), interval };
  }
  for (const entry of entries) {
    const { block, interval } = entry;
    if (!block || entry.after >= after || block.next <= after || !leadsTo(upTo, entry, block)) continue;
    const rest = remainderAfter(block, after);
    if (rest) return { block: endingAt(upTo, rest), interval };
  }
  return undefined;
}

function endingAt(upTo: Position, block: HistoryBlock): HistoryBlock {
  return { ...block, done: block.next >= upTo };
}

/**
 * Whether a block brings a viewer nearer to `upTo`, and not beyond it. A block that is short because it ends at another viewer's
 * `upTo` is not used: many of those would lead to `upTo` in many small steps.
 */
function leadsTo(upTo: Position, entry: CacheEntry, block: HistoryBlock): boolean {
  return block.next > entry.after && block.next <= upTo && (!block.done || entry.upTo === upTo);
}

/** The rest of a block after one of its entries; undefined if `after` is none of them, or the block has gaps. */
function remainderAfter(block: HistoryBlock, after: Position): HistoryBlock | undefined {
  const { ends, gaps, chunk } = block;
  const end = ends.get(after);
  if (end === undefined || gaps.length > 0 || chunk === null) return undefined;
  const left = chunk.body.subarray(end);
  const passed = [...ends.keys()].indexOf(after) + 1;
  return { ...block, chunk: left.length > 0 ? Chunk.of([left]) : null, entries: block.entries - passed };
}
