// The gzip viewers of a view: each segment is compressed once, by one compressor that refers back to earlier segments, and the
// same bytes go to all. Where a viewer joins, the compressor forgets what came before, so that the new viewer can read on.

import { setTimeout as pause } from 'node:timers/promises';
import { Chunk } from '../wire/chunk.ts';
import { Deflater } from '../wire/gzip.ts';
import type { Segment } from './segment.ts';
import type { SegmentSource, View, Viewer } from './view.ts';

/** After writes that took less than this, the next batch is compressed without a wait, because no timer waits less than 1 ms. */
const LEAST_WAIT_MS = 1;

/** Segments that are compressed together, and the viewers whose stream begins with them. */
interface Batch {
  segments: Segment[];
  joiners: Set<Viewer>;
}

export class CompressedView implements Viewer, SegmentSource {
  readonly view: View;
  readonly #windowMs: number;
  readonly #deflater = new Deflater();
  readonly #viewers = new Set<Viewer>();
  /** Batches that wait. The last one is open: further segments are added to it until its compression begins. */
  #queue: Batch[] = [];
  #current: Batch | undefined;
  #closed = false;

  /** `windowMs`: how long segments may gather under load. */
  constructor(view: View, windowMs: number) {
    this.view = view;
    this.#windowMs = windowMs;
    view.attachViewer(this);
  }

  /** The viewer gets every segment from the next one on. It must have everything that the view has flushed. */
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
    this.view.pinSegments(this); // for a viewer that begins to lag while this segment is compressed
    this.#compressAll().catch((error) => this.#fail(error));
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

  /** Compresses batch after batch, on a thread of the pool; what comes in the meantime is collected in the next batch. */
  async #compressAll(): Promise<void> {
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
      // As in the hub, under load the pause is as long as the writes took. Meanwhile the next batch becomes larger, and so
      // compresses better.
      const took = performance.now() - began;
      if (took > LEAST_WAIT_MS) await pause(Math.min(this.#windowMs, took));
    }
  }
}
