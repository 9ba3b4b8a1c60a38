// One SSE response: replaying → live ⇄ lagging → closed. A viewer whose socket does not drain is no longer pushed to; it
// keeps its place only, and reads on from there when it can. So it delays nobody and loses nothing that is retained.

import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { History, ReplayProgress, StartPoint } from '../history/history.ts';
import type { ReadInterval } from '../history/history-cache.ts';
import type { CompressedView } from '../live/compressed-view.ts';
import type { Segment } from '../live/segment.ts';
import type { SegmentSource, View, Viewer } from '../live/view.ts';
import { Chunk, LAST_CHUNK } from '../wire/chunk.ts';
import { controlFrame, gapFrame } from '../wire/frame.ts';
import { GZIP_HEADER, storedBlock } from '../wire/gzip.ts';

export type ConnectionState = 'replaying' | 'live' | 'lagging' | 'closed';

/** How a replay went. */
export interface Replay {
  entries: number;
  gaps: number;
}

const EMPTY = Buffer.alloc(0);
const AHEAD_POLL_MS = 50;
/** A gateway that has not come level by then is not about to. */
const CATCH_UP_PATIENCE_MS = 5_000;

export class Connection implements Viewer {
  readonly socket: Socket;
  readonly view: View;
  /** For a viewer that takes gzip; null for one that does not. */
  readonly compressed: CompressedView | null;
  readonly #history: History;
  /** HTTP/1.1 viewers get chunks, older ones the bare bytes. */
  readonly #chunked: boolean;
  state: ConnectionState = 'replaying';
  /** Everything up to here has been written. */
  #cursor: Position = 0;
  #unstored = 0;
  /** The reading that told of a gap last. */
  #gapsReportedBy: ReadInterval | undefined;
  /** Since when the socket has not drained, epoch ms; 0 while it does. */
  stalledSince = 0;
  #wake: (() => void) | undefined;

  constructor(
    socket: Socket,
    view: View,
    compressed: CompressedView | null,
    history: History,
    chunked: boolean,
  ) {
    this.socket = socket;
    this.view = view;
    this.compressed = compressed;
    this.#history = history;
    this.#chunked = chunked;
  }

  get #source(): SegmentSource {
    return this.compressed ?? this.view;
  }

  get closed(): boolean {
    return this.state === 'closed' || this.socket.destroyed;
  }

  /**
   * Waits until this gateway has had what another has shown this viewer already: the view would count entries that the
   * viewer is not sent again, and its ledger would not add up. @throws BrokerUnavailable
   */
  async waitUntilCaughtUp(position: Position): Promise<void> {
    if (this.view.flushedTo >= position) return;
    this.socket.uncork();
    // Of another log, or of one that went back: there is nothing to wait for, and history says so.
    if (position > (await this.#history.head())) return;
    const end = performance.now() + CATCH_UP_PATIENCE_MS;
    while (!this.closed && this.view.flushedTo < position && performance.now() < end)
      await setTimeout(AHEAD_POLL_MS);
  }

  /**
   * Sends what the stream begins with, then history up to now, then joins the view. Resolves when live or closed;
   * returns how the replay went. @throws BrokerUnavailable
   */
  async start(
    beginning: StartPoint,
    greeting: (count: number, position: Position) => Buffer,
  ): Promise<Replay> {
    // The seam: history goes exactly up to here, and what the view counts from here on is live.
    const { flushedTo: seam, flushedCount, flushedUnstored } = this.view;
    this.view.pinSegments(this);
    this.#cursor = beginning.position;
    this.#unstored = flushedUnstored;
    if (this.compressed) this.#write(Chunk.of([GZIP_HEADER]));
    this.#send(greeting(flushedCount, beginning.position));
    if (beginning.gap) this.#send(gapFrame(beginning.gap));
    const replay = await this.#readHistory(seam);
    if (this.closed) return replay;
    this.#send(controlFrame('live', this.#cursor, { replayed: replay.entries }));
    await this.#catchUp();
    return replay;
  }

  deliverSegment(segment: Segment): void {
    if (this.socket.writableLength === 0) {
      this.#deliver(segment);
      return;
    }
    this.#source.detachViewer(this);
    this.view.pinSegments(this);
    this.state = 'lagging';
    this.#catchUp().catch((error) => this.socket.destroy(error));
  }

  /** Says why, and ends the response and its connection once that is written. */
  end(frame: Buffer): void {
    if (this.closed) return;
    this.#send(frame);
    if (this.#chunked) this.socket.write(LAST_CHUNK);
    this.leave();
    this.socket.destroySoon();
  }

  /** Nothing of this viewer stays behind. */
  leave(): void {
    this.state = 'closed';
    this.#source.detachViewer(this);
    this.view.unpinSegments(this);
    this.#wake?.();
  }

  /** Through the ring, or through history up to a segment's start, until nothing is left to send. */
  async #catchUp(): Promise<void> {
    const { view } = this;
    for (;;) {
      await this.#drain();
      if (this.closed) return;
      if (view.flushedTo < this.#cursor) {
        // Another gateway has shown this viewer more than has come here yet: joining now would show it twice.
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
    const { view } = this;
    const replay: Replay = { entries: 0, gaps: 0 };
    const told = new ReportedGaps();
    let scanned = 0;
    for (let done = this.#cursor === upTo; !done && !this.closed; ) {
      const progress: ReplayProgress = {
        after: this.#cursor,
        upTo,
        scanned,
        reportedBy: this.#gapsReportedBy,
      };
      const { block, interval } = await this.#history.readBlock(view, progress);
      if (this.closed) break;
      const news = block.gaps.flatMap((gap) => told.unreported(gap) ?? []);
      for (const { reason } of news) this.#history.gaps[reason]++;
      if (news.length > 0) this.#gapsReportedBy = interval;
      if (news.length > 0) await this.#writeWithinBudget(Chunk.of(news.map(gapFrame)));
      replay.gaps += news.length;
      if (block.chunk) await this.#writeWithinBudget(block.chunk);
      if (this.closed) break;
      replay.entries += block.entries;
      scanned += block.scanned;
      if (this.#cursor > upTo && block.gaps.length === 0) break; // of this log, and ahead of it
      // Beyond `upTo` where that was of a log that is no more.
      this.#cursor = block.next;
      ({ done } = block);
      await this.#drain();
    }
    return replay;
  }

  #deliver(segment: Segment): void {
    this.#write(segment.chunk);
    this.#advance(segment);
  }

  #advance({ to, unstoredAfter }: Segment): void {
    this.#cursor = to;
    this.#unstored = unstoredAfter;
  }

  /** What is out of the live sequence waits for its turn, and needs a compressed form of its own. */
  async #writeWithinBudget(chunk: Chunk): Promise<void> {
    const form = this.compressed ? await chunk.deflated() : chunk;
    await this.#history.writeBudget.acquire(form.framed.length);
    this.#write(form);
  }

  /** Entries that are not in the log went by while this viewer was behind: history cannot give them. */
  #reportUnstored(passed: number): void {
    const missed = passed - this.#unstored;
    if (missed <= 0) return;
    this.#unstored = passed;
    this.#history.gaps.not_stored++;
    const after = this.#cursor;
    this.#send(gapFrame({ channel: null, after, before: after + 1, reason: 'not_stored', missed }));
  }

  #send(frame: Buffer): void {
    this.#write(Chunk.of([this.compressed ? storedBlock(frame) : frame]));
  }

  #write(chunk: Chunk): void {
    if (!this.closed) this.socket.write(this.#chunked ? chunk.framed : chunk.body);
  }

  /** Resolves when the kernel has taken all that was written, or the viewer has gone. */
  async #drain(): Promise<void> {
    if (this.socket.writableLength === 0 || this.closed) return;
    this.stalledSince = Date.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    // An empty write is called back after all before it; 'drain' would not come below the high-water mark.
    this.socket.write(EMPTY, (error) => {
      if (error) this.socket.destroy(); // ended by its viewer, with data that nobody will take
      resolve();
    });
    await promise;
    this.#wake = undefined;
    this.stalledSince = 0;
  }
}
