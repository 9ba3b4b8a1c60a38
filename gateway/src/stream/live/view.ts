// One distinct query, shared by all of its viewers. It filters each entry once, joins what came since the last flush to one
// segment, and hands the same buffer to all. While a viewer lags it keeps recent segments.

import type { Gap } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { compileFilter, type Filter } from '../query/filter.ts';
import type { Selection } from '../query/query.ts';
import { Chunk, type Part } from '../wire/chunk.ts';
import { controlFrame, gapFrame } from '../wire/frame.ts';
import type { GapCounts } from './gap-counts.ts';
import type { Segment } from './segment.ts';
import { SegmentRing } from './segment-ring.ts';

/** A viewer as its view sees it. */
export interface Viewer {
  deliverSegment(segment: Segment): void;
}

/** Where a viewer gets live segments from: the view itself, or its `CompressedView`. */
export interface SegmentSource {
  /** The viewer gets every segment from the next one on. It must have everything up to the view's `flushedTo`. */
  attachViewer(viewer: Viewer): void;
  detachViewer(viewer: Viewer): void;
}

/** What a view knows of its shared subscription. */
export interface Upstream {
  /** Every entry up to here has been received. */
  readonly receivedUpTo: Position;
}

export class View implements SegmentSource {
  readonly selection: Selection;
  readonly filter: Filter | null;
  /** How many entries the view had sent at the last flush. `hello` gives a new viewer this count, and its ledger begins with it. */
  flushedCount = 0;
  /** How many of these entries are not stored in the log. */
  flushedUnstored = 0;
  /** True once the last viewer has gone. */
  closed = false;
  readonly #upstream: Upstream;
  readonly #wantFlush: (view: View) => void;
  readonly #gaps: GapCounts;
  readonly #viewers = new Set<Viewer>();
  readonly #pinnedBy = new Set<object>();
  readonly #ring = new SegmentRing();
  /** The parts that wait for the next flush, and the position up to which the view had received everything before the first part. */
  #waiting: Part[] = [];
  #from: Position = 0;
  /** Where the last segment ends: between here and `flushedTo` the view has sent nothing. */
  #lastEnd: Position = 0;
  #count = 0;
  #unstored = 0;

  /** `wantFlush` is called when the first part begins to wait for a flush. `gaps` counts the gaps that the view reports. */
  constructor(selection: Selection, upstream: Upstream, wantFlush: (view: View) => void, gaps: GapCounts) {
    this.selection = selection;
    this.filter = compileFilter(selection);
    this.#upstream = upstream;
    this.#wantFlush = wantFlush;
    this.#gaps = gaps;
  }

  /** From here on the view gets every entry that its subscription receives. */
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
   * From now on segments are kept, until every reader that has pinned them unpins them. While all viewers are live none are
   * kept: each kept segment outlives two collections, and over 1,000 channels that cost 30 instead of 20 CPU seconds per million
   * deliveries (RESULTS.md, "1,000 channels × 10/s").
   */
  pinSegments(reader: object): void {
    this.#pinnedBy.add(reader);
  }

  unpinSegments(reader: object): void {
    this.#pinnedBy.delete(reader);
    if (this.#pinnedBy.size === 0) this.#ring.clear();
  }

  /** Live viewers have everything up to here, and the next segment continues from here. */
  get flushedTo(): Position {
    // While no part waits, the view has sent every received entry that it wants.
    return this.#waiting.length > 0 ? this.#from : this.#upstream.receivedUpTo;
  }

  /** Whether a viewer at `cursor` has everything that was flushed. */
  isCaughtUp(cursor: Position): boolean {
    return cursor >= this.#lastEnd;
  }

  /** Sends the record with the next flush if the filter passes it. `before`: what had been received before this record. */
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

  /** Sends all viewers a sign of life, with a position and the count of entries up to that position. */
  ping(now: number): void {
    const { receivedUpTo } = this.#upstream;
    this.#append(controlFrame('ping', receivedUpTo, { now, count: this.#count }), receivedUpTo);
  }

  /** Hands all parts that wait to every live viewer; returns how many bytes each of the viewers gets. */
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

  /** The kept segment that a lagging viewer at `cursor` gets next; see `SegmentRing.segmentAfter`. */
  segmentAfter(cursor: Position): Segment | undefined {
    return this.#ring.segmentAfter(cursor);
  }

  #append(part: Part, before: Position): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(part);
      return;
    }
    this.#waiting = [part]; // not `push` on an empty array, which would reserve memory for seventeen parts
    this.#from = before;
    this.#wantFlush(this);
  }
}
