// Stretches of history that were read a moment ago: viewers who come back together cost one reading and one encoding.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { Chunk } from './chunk.ts';
import type { Query } from './history.ts';
import type { Stretch } from './stretch.ts';

/** Long enough for everybody who was cut off at the same moment; what the log loses meanwhile is still shown. */
const KEEP_MS = 3_000;
/** What a gap takes, about. */
const GAP_BYTES = 200;

interface Kept {
  query: Query;
  after: Position;
  upTo: Position;
  until: number;
  bytes: number;
  reading: Promise<Stretch>;
  /** Once it has been read. */
  stretch: Stretch | undefined;
}

export class SharedStretches {
  readonly #limit: number;
  readonly #byQuery = new WeakMap<Query, Kept[]>();
  /** Oldest first. */
  #all: Kept[] = [];
  #bytes = 0;
  #sweeper: NodeJS.Timeout | undefined;

  /** `limit`: bytes to keep at most; 0 shares nothing. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * What a reader at `after` needs next, not beyond `upTo`: what somebody else reads or has read, from there on or from
   * one of its entries on, else what `reading` reads: that and what follows it. @throws BrokerUnavailable as it did
   */
  async read(
    query: Query,
    after: Position,
    upTo: Position,
    reading: () => Promise<[Stretch, ...Stretch[]]>,
  ): Promise<Stretch> {
    // What was asked for with another bound is waited for once: a crowd with a bound each would read one after another.
    let other = false;
    for (;;) {
      // From here to `#keep` nobody else has a turn: of a crowd at the same place one reads.
      const fresh = this.#of(query);
      const known = find(fresh, after, upTo);
      if (known) return known;
      const pending = fresh.filter((kept) => kept.after === after && !kept.stretch);
      const underWay = pending.find((kept) => kept.upTo === upTo) ?? (other ? undefined : pending[0]);
      if (!underWay) return this.#keep(query, after, upTo, reading());
      const stretch = await underWay.reading;
      // Judged here, too: it may have been too large to keep.
      if (underWay.upTo === upTo) return stretch;
      if (leadsTo(upTo, underWay, stretch)) return { ...stretch, done: stretch.next >= upTo };
      other = true;
    }
  }

  #of(query: Query): Kept[] {
    const now = Date.now();
    return (this.#byQuery.get(query) ?? []).filter(({ until }) => until >= now);
  }

  #keep(
    query: Query,
    after: Position,
    upTo: Position,
    stretches: Promise<[Stretch, ...Stretch[]]>,
  ): Promise<Stretch> {
    const reading = stretches.then(([stretch]) => stretch);
    if (this.#limit === 0) return reading;
    const kept = this.#add(query, after, upTo, reading);
    stretches.then(
      ([stretch, ...others]) => {
        this.#fill(kept, stretch);
        let at = stretch.next;
        for (const other of others) {
          this.#fill(this.#add(query, at, upTo, Promise.resolve(other)), other);
          at = other.next;
        }
      },
      () => {
        kept.until = 0;
      },
    );
    return reading;
  }

  #add(query: Query, after: Position, upTo: Position, reading: Promise<Stretch>): Kept {
    const until = Date.now() + KEEP_MS;
    const kept: Kept = { query, after, upTo, until, bytes: 0, reading, stretch: undefined };
    const own = this.#byQuery.get(query);
    if (own) own.push(kept);
    else this.#byQuery.set(query, [kept]);
    this.#all.push(kept);
    this.#sweeper ??= setInterval(() => this.#sweep(), KEEP_MS).unref();
    return kept;
  }

  #fill(kept: Kept, stretch: Stretch): void {
    if (kept.until === 0) return;
    kept.stretch = stretch;
    kept.bytes = (stretch.chunk?.framed.length ?? 0) + stretch.gaps.length * GAP_BYTES;
    this.#bytes += kept.bytes;
    while (this.#bytes > this.#limit) this.#drop();
  }

  #sweep(): void {
    const now = Date.now();
    while (this.#all[0] && this.#all[0].until < now) this.#drop();
    if (this.#all.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #drop(): void {
    const kept = this.#all.shift();
    if (!kept) return;
    kept.until = 0;
    this.#bytes -= kept.bytes;
    const rest = this.#byQuery.get(kept.query)?.filter((other) => other !== kept) ?? [];
    this.#byQuery.set(kept.query, rest);
  }
}

/** Of what has been read. */
function find(all: readonly Kept[], after: Position, upTo: Position): Stretch | undefined {
  for (const kept of all) {
    const { stretch } = kept;
    if (!stretch || kept.after !== after) continue;
    if (kept.upTo === upTo) return stretch;
    if (leadsTo(upTo, kept, stretch)) return { ...stretch, done: stretch.next >= upTo };
  }
  for (const kept of all) {
    const { stretch } = kept;
    if (!stretch || kept.after >= after || stretch.next <= after || !leadsTo(upTo, kept, stretch)) continue;
    const rest = stretchFrom(stretch, after);
    if (rest) return { ...rest, done: stretch.next >= upTo };
  }
  return undefined;
}

/** One that broke off at its own reader's bound would lead through many small ones to another's. */
function leadsTo(upTo: Position, kept: Kept, stretch: Stretch): boolean {
  return stretch.next > kept.after && stretch.next <= upTo && (!stretch.done || kept.upTo === upTo);
}

/** The part of a complete stretch behind one of its entries. */
function stretchFrom(stretch: Stretch, after: Position): Stretch | undefined {
  const { ends, gaps, chunk } = stretch;
  const end = ends.get(after);
  if (end === undefined || gaps.length > 0 || chunk === null) return undefined;
  const left = chunk.body.subarray(end);
  const passed = [...ends.keys()].indexOf(after) + 1;
  return { ...stretch, chunk: left.length > 0 ? Chunk.of([left]) : null, entries: stretch.entries - passed };
}
