// One distinct query, shared by every viewer that asked it: filters an entry once, encodes it once, joins a flush window
// into one segment once and hands the same buffer to all. Keeps recent segments while a viewer is behind.

import type { Gap } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { Chunk, type Part } from './chunk.ts';
import { compileFilter, type Filter } from './filter.ts';
import { controlFrame, gapFrame } from './frame.ts';
import { type GapCounts, gapCounts } from './metrics.ts';
import type { Selection } from './query.ts';
import type { Segment } from './segment.ts';
import { SegmentRing } from './segment-ring.ts';

/** A viewer as its view sees it. */
export interface Viewer {
  push(segment: Segment): void;
}

/** Where live segments come from: the view itself, or what compresses them for all of its gzip viewers. */
export interface Feed {
  /** From the next segment on. The viewer has had everything up to the view's `flushedTo`. */
  join(viewer: Viewer): void;
  leave(viewer: Viewer): void;
}

/** What feeds a view. */
export interface Tapped {
  /** Every entry up to here has come. */
  readonly reached: Position;
}

export class View implements Feed {
  readonly selection: Selection;
  readonly filter: Filter | null;
  /** Entries emitted so far, as of the last flush: the viewers' ledger counts with it. */
  flushedCount = 0;
  /** Of those, entries that are not in the log. */
  flushedUnnumbered = 0;
  /** Its last viewer has gone. */
  closed = false;
  readonly #tap: Tapped;
  readonly #wantFlush: (view: View) => void;
  readonly #gaps: GapCounts;
  readonly #viewers = new Set<Viewer>();
  readonly #behind = new Set<object>();
  readonly #ring = new SegmentRing();
  /** What waits for the next flush, and where the view stood before it. */
  #waiting: Part[] = [];
  #from: Position = 0;
  /** End of the last segment: between here and `flushedTo` the view has emitted nothing. */
  #lastEnd: Position = 0;
  #count = 0;
  #unnumbered = 0;

  /** `wantFlush` is called when frames wait and none waited before. */
  constructor(selection: Selection, tap: Tapped, wantFlush: (view: View) => void, gaps = gapCounts()) {
    this.selection = selection;
    this.filter = compileFilter(selection);
    this.#tap = tap;
    this.#wantFlush = wantFlush;
    this.#gaps = gaps;
  }

  /** It is live: every entry after where its tap is now will come. */
  begin(): void {
    this.#lastEnd = this.#tap.reached;
  }

  close(): void {
    this.closed = true;
  }

  join(viewer: Viewer): void {
    this.#viewers.add(viewer);
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /**
   * From now on segments are kept, until every reader that was behind is let go. None are kept where all are live: what
   * outlives its write costs the garbage collector more than the write.
   */
  hold(reader: object): void {
    this.#behind.add(reader);
  }

  letGo(reader: object): void {
    this.#behind.delete(reader);
    if (this.#behind.size === 0) this.#ring.clear();
  }

  /** Everything up to here has been handed to the live viewers; the next segment follows without a hole. */
  get flushedTo(): Position {
    // Who joins while nothing waits need not ask history for what is known to be empty.
    return this.#waiting.length > 0 ? this.#from : this.#tap.reached;
  }

  /** Whether a viewer at `cursor` has had everything that was flushed. */
  reachedBy(cursor: Position): boolean {
    return cursor >= this.#lastEnd;
  }

  /** `before`: where the tap was before this entry. */
  entry(record: LogRecord, before: Position): void {
    if (this.filter !== null && !this.filter(record)) return;
    this.#count++;
    if (record.n === 0) this.#unnumbered++;
    this.#add(record, before);
  }

  gap(gap: Gap): void {
    this.#gaps[gap.reason]++;
    this.#add(gapFrame(gap), this.#tap.reached);
  }

  /** Tells all viewers that the stream is alive, where it stands, and how many entries it has had. */
  ping(now: number): void {
    const { reached } = this.#tap;
    this.#add(controlFrame('ping', reached, { now, count: this.#count }), reached);
  }

  /** Hands what waits to every live viewer; returns how many bytes that is for each. */
  flush(ringLimit: number): number {
    if (this.#waiting.length === 0) return 0;
    const segment: Segment = {
      from: this.#from,
      to: this.#tap.reached,
      unnumberedBefore: this.flushedUnnumbered,
      unnumberedAfter: this.#unnumbered,
      chunk: Chunk.of(this.#waiting),
    };
    this.#waiting = [];
    this.#lastEnd = segment.to;
    this.flushedCount = this.#count;
    this.flushedUnnumbered = this.#unnumbered;
    for (const viewer of this.#viewers) viewer.push(segment);
    if (this.#behind.size > 0) this.#ring.add(segment, ringLimit);
    return segment.chunk.framed.length;
  }

  /** What a viewer behind takes next, of what is kept; see `SegmentRing.find`. */
  segmentFor(cursor: Position): Segment | undefined {
    return this.#ring.find(cursor);
  }

  #add(part: Part, before: Position): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(part);
      return;
    }
    this.#waiting = [part]; // an empty array would make room for seventeen
    this.#from = before;
    this.#wantFlush(this);
  }
}
