// One distinct query, shared by every viewer that asked it: filters an entry once, encodes it once, joins a flush window
// into one segment once and hands the same buffer to all. Keeps recent segments while a viewer is behind.

import type { Gap } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { type GapCounts, gapCounts } from '../metrics.ts';
import { compileFilter, type Filter } from '../query/filter.ts';
import type { Selection } from '../query/query.ts';
import { Chunk, type Part } from '../wire/chunk.ts';
import { controlFrame, gapFrame } from '../wire/frame.ts';
import type { Segment } from './segment.ts';
import { SegmentRing } from './segment-ring.ts';

/** A viewer as its view sees it. */
export interface Viewer {
  deliverSegment(segment: Segment): void;
}

/** Where live segments come from: the view itself, or what compresses them for all of its gzip viewers. */
export interface SegmentSource {
  /** From the next segment on. The viewer has had everything up to the view's `flushedTo`. */
  attachViewer(viewer: Viewer): void;
  detachViewer(viewer: Viewer): void;
}

/** What feeds a view. */
export interface Upstream {
  /** Every entry up to here has come. */
  readonly receivedUpTo: Position;
}

export class View implements SegmentSource {
  readonly selection: Selection;
  readonly filter: Filter | null;
  /** Entries emitted so far, as of the last flush: the viewers' ledger counts with it. */
  flushedCount = 0;
  /** Of those, entries that are not in the log. */
  flushedUnstored = 0;
  /** Its last viewer has gone. */
  closed = false;
  readonly #upstream: Upstream;
  readonly #wantFlush: (view: View) => void;
  readonly #gaps: GapCounts;
  readonly #viewers = new Set<Viewer>();
  readonly #pinnedBy = new Set<object>();
  readonly #ring = new SegmentRing();
  /** What waits for the next flush, and where the view stood before it. */
  #waiting: Part[] = [];
  #from: Position = 0;
  /** End of the last segment: between here and `flushedTo` the view has emitted nothing. */
  #lastEnd: Position = 0;
  #count = 0;
  #unstored = 0;

  /** `wantFlush` is called when frames wait and none waited before. */
  constructor(selection: Selection, tap: Upstream, wantFlush: (view: View) => void, gaps = gapCounts()) {
    this.selection = selection;
    this.filter = compileFilter(selection);
    this.#upstream = tap;
    this.#wantFlush = wantFlush;
    this.#gaps = gaps;
  }

  /** It is live: every entry after where its tap is now will come. */
  startLive(): void {
    this.#lastEnd = this.#upstream.receivedUpTo;
  }

  close(): void {
    this.closed = true;
  }

  attachViewer(viewer: Viewer): void {
    this.#viewers.add(viewer);
  }

  detachViewer(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /**
   * From now on segments are kept, until every reader that was behind is let go. None are kept where all are live: what
   * outlives its write costs the garbage collector more than the write.
   */
  pinSegments(reader: object): void {
    this.#pinnedBy.add(reader);
  }

  unpinSegments(reader: object): void {
    this.#pinnedBy.delete(reader);
    if (this.#pinnedBy.size === 0) this.#ring.clear();
  }

  /** Everything up to here has been handed to the live viewers; the next segment follows without a gap. */
  get flushedTo(): Position {
    // Who joins while nothing waits need not ask history for what is known to be empty.
    return this.#waiting.length > 0 ? this.#from : this.#upstream.receivedUpTo;
  }

  /** Whether a viewer at `cursor` has had everything that was flushed. */
  isCaughtUp(cursor: Position): boolean {
    return cursor >= this.#lastEnd;
  }

  /** `before`: where the tap was before this entry. */
  offerRecord(record: LogRecord, before: Position): void {
    if (this.filter !== null && !this.filter(record)) return;
    this.#count++;
    if (record.n === 0) this.#unstored++;
    this.#append(record, before);
  }

  reportGap(gap: Gap): void {
    this.#gaps[gap.reason]++;
    this.#append(gapFrame(gap), this.#upstream.receivedUpTo);
  }

  /** Tells all viewers that the stream is alive, where it stands, and how many entries it has had. */
  ping(now: number): void {
    const { receivedUpTo } = this.#upstream;
    this.#append(controlFrame('ping', receivedUpTo, { now, count: this.#count }), receivedUpTo);
  }

  /** Hands what waits to every live viewer; returns how many bytes that is for each. */
  flush(ringLimit: number): number {
    if (this.#waiting.length === 0) return 0;
    const segment: Segment = {
      from: this.#from,
      to: this.#upstream.receivedUpTo,
      unstoredBefore: this.flushedUnstored,
      unstoredAfter: this.#unstored,
      chunk: Chunk.of(this.#waiting),
    };
    this.#waiting = [];
    this.#lastEnd = segment.to;
    this.flushedCount = this.#count;
    this.flushedUnstored = this.#unstored;
    for (const viewer of this.#viewers) viewer.deliverSegment(segment);
    if (this.#pinnedBy.size > 0) this.#ring.keep(segment, ringLimit);
    return segment.chunk.framed.length;
  }

  /** What a viewer behind takes next, of what is kept; see `SegmentRing.find`. */
  segmentAfter(cursor: Position): Segment | undefined {
    return this.#ring.segmentAfter(cursor);
  }

  #append(part: Part, before: Position): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(part);
      return;
    }
    this.#waiting = [part]; // an empty array would make room for seventeen
    this.#from = before;
    this.#wantFlush(this);
  }
}
