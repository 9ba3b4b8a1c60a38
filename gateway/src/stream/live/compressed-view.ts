// A view's gzip viewers: every segment is compressed once, by one compressor with memory, and the same bytes go to all.
// Who joins does so between two segments, where the compressor forgets what it has seen: that cost is shared, too.

import { setTimeout as pause } from 'node:timers/promises';
import { Chunk } from '../wire/chunk.ts';
import { Deflater } from '../wire/gzip.ts';
import type { Segment } from './segment.ts';
import type { SegmentSource, View, Viewer } from './view.ts';

/** A timer would cost more than it saves. */
const AT_ONCE_MS = 1;

/** Segments that are compressed together, and the viewers for whom they are the first. */
interface Batch {
  segments: Segment[];
  joiners: Set<Viewer>;
}

export class CompressedView implements Viewer, SegmentSource {
  readonly view: View;
  readonly #windowMs: number;
  readonly #deflater = new Deflater();
  readonly #viewers = new Set<Viewer>();
  /** The last one is open: it takes what comes until it is its turn. */
  #queue: Batch[] = [];
  #current: Batch | undefined;
  #closed = false;

  /** `windowMs`: how long segments may gather under load. */
  constructor(view: View, windowMs: number) {
    this.view = view;
    this.#windowMs = windowMs;
    view.attachViewer(this);
  }

  /** From the next segment on. The viewer has had everything that the view has flushed. */
  attachViewer(viewer: Viewer): void {
    const open = this.#queue.at(-1);
    if (open?.segments.length === 0) open.joiners.add(viewer);
    else this.#queue.push({ segments: [], joiners: new Set([viewer]) });
  }

  detachViewer(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#current?.joiners.delete(viewer);
    for (const { joiners } of this.#queue) joiners.delete(viewer);
  }

  deliverSegment(segment: Segment): void {
    const open = this.#queue.at(-1);
    if (open) open.segments.push(segment);
    else this.#queue.push({ segments: [segment], joiners: new Set() });
    if (this.#current) return;
    this.view.pinSegments(this); // for a viewer that falls behind while this is compressed
    this.#work().catch((error) => this.#fail(error));
  }

  close(): void {
    this.#closed = true;
    this.view.detachViewer(this);
    this.view.unpinSegments(this);
    this.#queue = [];
    this.#deflater.close();
  }

  #fail(error: unknown): void {
    if (!this.#closed) throw error;
  }

  /** While one batch is compressed, on a thread of the pool, what comes meanwhile gathers in the next. */
  async #work(): Promise<void> {
    for (;;) {
      const batch = this.#queue[0];
      const first = batch?.segments[0];
      const last = batch?.segments.at(-1);
      if (!batch || !first || !last) {
        this.#current = undefined;
        this.view.unpinSegments(this);
        return;
      }
      this.#queue.shift();
      this.#current = batch;
      if (batch.joiners.size > 0) this.#deflater.reset();
      const bodies = batch.segments.map(({ chunk }) => chunk.body);
      const chunk = Chunk.of(
        await this.#deflater.deflate(bodies.length === 1 ? first.chunk.body : Buffer.concat(bodies)),
      );
      for (const viewer of batch.joiners) this.#viewers.add(viewer);
      const segment: Segment = { ...first, to: last.to, unstoredAfter: last.unstoredAfter, chunk };
      const began = performance.now();
      for (const viewer of this.#viewers) viewer.deliverSegment(segment);
      // Under load writing takes about half of the time: each write carries more the busier it is, and compresses better.
      const took = performance.now() - began;
      if (took > AT_ONCE_MS) await pause(Math.min(this.#windowMs, took));
    }
  }
}
