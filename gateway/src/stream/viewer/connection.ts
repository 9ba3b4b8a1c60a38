// One SSE response: replaying → live ⇄ lagging → closed. A viewer whose socket does not take its bytes is not written to any
// more; only its cursor is kept, and it reads on from there when it can. So it delays nobody, and misses nothing that the log
// still keeps.

import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { DeliveryGuard } from '@llm-streamer/shared/broker/delivery-guard.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { History, ReplayProgress, StartPoint } from '../history/history.ts';
import type { ReadInterval } from '../history/history-cache.ts';
import type { CompressedView } from '../live/compressed-view.ts';
import type { GapCounts } from '../live/gap-counts.ts';
import type { Segment } from '../live/segment.ts';
import type { SegmentSource, View, Viewer } from '../live/view.ts';
import { Chunk, LAST_CHUNK } from '../wire/chunk.ts';
import { controlFrame, gapFrame } from '../wire/frame.ts';
import { GZIP_HEADER, storedBlock } from '../wire/gzip.ts';
import type { WriteBudget } from '../wire/write-budget.ts';
import type { Slot } from './slot.ts';

export type ConnectionState = 'replaying' | 'live' | 'lagging' | 'closed';

/** How a replay went. */
export interface Replay {
  entries: number;
  gaps: number;
}

/** What all connections of a process use together. */
export interface ConnectionServices {
  history: History;
  /** Shares out the bytes that viewers who begin or catch up may write in one round of the event loop. */
  writeBudget: WriteBudget;
  /** Counts the gaps that connections report. */
  gaps: GapCounts;
  /** Holds back what is read again for those who catch up, while their rights cannot be looked at. */
  guard?: Pick<DeliveryGuard, 'wait'> | undefined;
}

const EMPTY = Buffer.alloc(0);
const AHEAD_POLL_MS = 50;
/**
 * How long a viewer waits for its gateway to receive what the viewer has seen elsewhere. After that it begins all the same, and
 * its ledger may be off by those entries.
 */
const CATCH_UP_PATIENCE_MS = 5_000;

export class Connection implements Viewer {
  readonly socket: Socket;
  /** What the viewer occupies; it is released when the connection is removed. */
  readonly slot: Slot;
  readonly #view: View;
  /** Null for a viewer that does not take gzip, or does not get it. */
  readonly #compressed: CompressedView | null;
  readonly #services: ConnectionServices;
  /** Viewers by HTTP/1.1 get chunks, older ones the bare bytes. */
  readonly #chunked: boolean;
  state: ConnectionState = 'replaying';
  /** When the connection is over its time, epoch ms. */
  endsAt = Number.POSITIVE_INFINITY;
  /** Everything up to here has been written. */
  #cursor: Position = 0;
  /** How many unstored entries the view had counted where this viewer now stands. */
  #unstored = 0;
  /** The read of history that reported the last gap: see `HistoryCache.readBlock`. */
  #gapsReportedBy: ReadInterval | undefined;
  /** Since when the socket has not taken all of its bytes, epoch ms; 0 while it has. */
  stalledSince = 0;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, slot: Slot, services: ConnectionServices, chunked: boolean) {
    this.socket = socket;
    this.slot = slot;
    this.#view = slot.view;
    this.#compressed = slot.compressed;
    this.#services = services;
    this.#chunked = chunked;
  }

  get #source(): SegmentSource {
    return this.#compressed ?? this.#view;
  }

  get closed(): boolean {
    return this.state === 'closed' || this.socket.destroyed;
  }

  /**
   * Waits until this gateway has received everything that the viewer has already seen on another. Otherwise the view would
   * count entries that are not sent to this viewer again, and its ledger would not add up. An example: the viewer comes with
   * cursor 104, and the view has received up to 102. 103 and 104 will be counted, but not sent. @throws BrokerUnavailable
   */
  async waitUntilCaughtUp(position: Position): Promise<void> {
    if (this.#view.flushedTo >= position) return;
    this.socket.uncork();
    // The log has not come so far, so the cursor is of another log. There is nothing to wait for, and history reports the gap.
    if (position > (await this.#services.history.head())) return;
    const end = performance.now() + CATCH_UP_PATIENCE_MS;
    while (!this.closed && this.#view.flushedTo < position && performance.now() < end)
      await setTimeout(AHEAD_POLL_MS);
  }

  /**
   * Sends `hello`, then history up to the seam, then joins the view. Resolves when the viewer is live or closed, and says how
   * the replay went. `hello`: makes the first frame, from what the view has counted at the seam and the position at which the
   * stream begins. @throws BrokerUnavailable
   */
  async start(beginning: StartPoint, hello: (count: number, position: Position) => Buffer): Promise<Replay> {
    // The seam. With the cursor at 101 and the seam at 104, history is exactly (101, 104], and what the view counts from here
    // on is live.
    const { flushedTo: seam, flushedCount, flushedUnstored } = this.#view;
    this.#view.pinSegments(this);
    this.#cursor = beginning.position;
    this.#unstored = flushedUnstored;
    if (this.#compressed) this.#write(Chunk.of([GZIP_HEADER]));
    this.#send(hello(flushedCount, beginning.position));
    if (beginning.gap) this.#send(gapFrame(beginning.gap));
    const replay = await this.#readHistory(seam);
    if (this.closed) return replay;
    this.#send(controlFrame('live', this.#cursor, { replayed: replay.entries }));
    await this.#catchUp();
    return replay;
  }

  deliverSegment(segment: Segment): void {
    if (this.socket.writableLength === 0) {
      this.#write(segment.chunk);
      this.#advance(segment);
      return;
    }
    this.#source.detachViewer(this);
    this.#view.pinSegments(this);
    this.state = 'lagging';
    this.#catchUp().catch((error) => this.socket.destroy(error));
  }

  /** Sends the last frame, which says why the stream ends, and closes the connection once that is written. */
  end(frame: Buffer): void {
    if (this.closed) return;
    this.#send(frame);
    if (this.#chunked) this.socket.write(LAST_CHUNK);
    this.detach();
    this.socket.destroySoon();
  }

  /** From now on the view neither delivers to this viewer nor keeps segments for it. */
  detach(): void {
    this.state = 'closed';
    this.#source.detachViewer(this);
    this.#view.unpinSegments(this);
    this.#wake?.();
  }

  /** Reads on, from the view's recent segments or else from history up to the first of them, until the viewer is live. */
  async #catchUp(): Promise<void> {
    const view = this.#view;
    for (;;) {
      await this.#drain();
      await this.#services.guard?.wait();
      if (this.closed) return;
      if (view.flushedTo < this.#cursor) {
        // Another gateway has sent this viewer entries that have not arrived here yet: to join now would send them twice.
        await setTimeout(AHEAD_POLL_MS);
        continue;
      }
      if (view.isCaughtUp(this.#cursor)) {
        this.#reportUnstored(view.flushedUnstored);
        this.state = 'live';
        this.#source.attachViewer(this);
        view.unpinSegments(this);
        return;
      }
      const segment = view.segmentAfter(this.#cursor);
      if (segment && segment.from <= this.#cursor) {
        this.#reportUnstored(segment.unstoredBefore);
        await this.#writeWithinBudget(segment.chunk);
        this.#advance(segment);
      } else {
        await this.#readHistory(segment ? segment.from : view.flushedTo);
      }
    }
  }

  async #readHistory(upTo: Position): Promise<Replay> {
    const view = this.#view;
    const { history, gaps, guard } = this.#services;
    const replay: Replay = { entries: 0, gaps: 0 };
    const reported = new ReportedGaps();
    let scanned = 0;
    for (let done = this.#cursor === upTo; !done && !this.closed; ) {
      const progress: ReplayProgress = {
        after: this.#cursor,
        upTo,
        scanned,
        reportedBy: this.#gapsReportedBy,
      };
      const { block, interval } = await history.readBlock(view, progress);
      await guard?.wait();
      if (this.closed) break;
      const unreported = block.gaps.flatMap((gap) => reported.unreported(gap) ?? []);
      for (const { reason } of unreported) gaps[reason]++;
      if (unreported.length > 0) this.#gapsReportedBy = interval;
      if (unreported.length > 0) await this.#writeWithinBudget(Chunk.of(unreported.map(gapFrame)));
      replay.gaps += unreported.length;
      if (block.chunk) await this.#writeWithinBudget(block.chunk);
      if (this.closed) break;
      replay.entries += block.entries;
      scanned += block.scanned;
      // A cursor of this log that is ahead of this gateway stays where it is.
      if (this.#cursor > upTo && block.gaps.length === 0) break;
      // A cursor of a log that is gone may lie beyond `upTo`; with the gap it goes to where this log goes on.
      this.#cursor = block.next;
      ({ done } = block);
      await this.#drain();
    }
    return replay;
  }

  #advance({ to, unstoredAfter }: Segment): void {
    this.#cursor = to;
    this.#unstored = unstoredAfter;
  }

  /** For what is outside the view's live sequence: it waits for the write budget, and is compressed by itself. */
  async #writeWithinBudget(chunk: Chunk): Promise<void> {
    const form = this.#compressed ? await chunk.deflated() : chunk;
    await this.#services.writeBudget.acquire(form.framed.length);
    this.#write(form);
  }

  /** Reports unstored entries that went by while this viewer was lagging: history does not have them. */
  #reportUnstored(passed: number): void {
    const missed = passed - this.#unstored;
    if (missed <= 0) return;
    this.#unstored = passed;
    this.#services.gaps.not_stored++;
    const after = this.#cursor;
    this.#send(gapFrame({ channel: null, after, before: after + 1, reason: 'not_stored', missed }));
  }

  #send(frame: Buffer): void {
    this.#write(Chunk.of([this.#compressed ? storedBlock(frame) : frame]));
  }

  #write(chunk: Chunk): void {
    if (!this.closed) this.socket.write(this.#chunked ? chunk.framed : chunk.body);
  }

  /** Resolves when the kernel has taken everything that was written, or the viewer is gone. */
  async #drain(): Promise<void> {
    if (this.socket.writableLength === 0 || this.closed) return;
    this.stalledSince = Date.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    // An empty write calls back after all writes before it. 'drain' would not come: it needs more bytes than the high-water mark.
    this.socket.write(EMPTY, (error) => {
      if (error) this.socket.destroy(); // the viewer has ended its side, and nobody will take the rest
      resolve();
    });
    await promise;
    this.#wake = undefined;
    this.stalledSince = 0;
  }
}
