// The entries of one view: turns the frames of a stream into rows of the buffer, each entry once and each missing entry
// counted by the ledger. It does not depend on anything on screen.

import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { Bye, GapData, Hello, Live, Ping } from '@llm-streamer/shared/stream-events.ts';
import { LogBuffer } from './buffer.ts';
import { Ledger } from './ledger.ts';
import { type EntryRow, GapRow, gapRow, MarkRow, parseEntry } from './row.ts';
import { createSource, type Source } from './source.ts';
import { isUnreported } from './unreported-gap.ts';
import { controlData, type Frame, type StreamState } from './wire.ts';

export interface SessionListener {
  /** Called for each entry after it was appended to the buffer. */
  onEntry(row: EntryRow): void;
  /** Called after frames were processed; there may be new rows. */
  onFrames(): void;
  /** Called after rows were inserted, removed or changed: every place may be another. */
  onRearranged(): void;
  onCleared(): void;
  onStreamState(state: StreamState): void;
  onSharing(streams: number, tabs: number): void;
  /** Called when the replay is complete; the entries after it are live. */
  onLive(): void;
}

export class Session {
  readonly buffer = new LogBuffer();
  ledger = new Ledger();
  /** Milliseconds from the log's time of the latest live entry or ping until it arrived here. */
  lag = 0;
  gateway = '';
  isLive = false;
  /** To what the gateway has narrowed the view, where not all of it may be read. */
  narrowedTo: readonly string[] | undefined;
  /** Id of the newest frame: the position up to which this view has read the log. */
  position: string | undefined;
  readonly #listener: SessionListener;
  readonly #source: Source;
  #query = new URLSearchParams();
  #clockOffset = 0;
  #log: string | undefined;
  /** Newest position of each channel: an entry that comes again after a reconnect is not shown again. */
  #newest = new Map<string, number>();
  /** Gaps that are counted already: after a resume the gateway may report trimmed or expired entries again. */
  #reportedGaps = new ReportedGaps();
  /**
   * The gap of a reconnect that the gateway could not resume; dropped if the replay overlaps or the gateway reports a
   * gap.
   */
  #pending: GapRow | undefined;
  #isResumed = false;
  #droppedAt = 0;

  constructor(listener: SessionListener, shared: boolean) {
    this.#listener = listener;
    this.#source = createSource(
      {
        onFrames: (frames) => this.#onFrames(frames),
        onStreamState: (state) => this.#onStreamState(state),
        onSharing: (streams, tabs) => listener.onSharing(streams, tabs),
      },
      shared,
    );
  }

  /** Starts a new view for `session`; rows and counts of the view before are dropped. */
  open(query: URLSearchParams, session: string): void {
    this.#query = query;
    this.buffer.clear();
    this.ledger = new Ledger();
    this.#newest.clear();
    this.#reportedGaps = new ReportedGaps();
    this.#log = undefined;
    this.#pending = undefined;
    this.#droppedAt = 0;
    this.position = undefined;
    this.isLive = false;
    this.lag = 0;
    this.narrowedTo = undefined;
    this.#listener.onCleared();
    this.resume(session);
  }

  /** Goes on with the view where it stopped, with a new session of the same person. */
  resume(session: string): void {
    const url = new URL(`stream?${this.#query}`, document.baseURI).href;
    this.#source.open({ url, session, after: this.position });
  }

  nudge(): void {
    this.#source.nudge();
  }

  close(): void {
    this.#source.close();
  }

  mark(text: string): void {
    this.buffer.append(new MarkRow(text));
  }

  /** To call after changing rows of the buffer, as history/load.ts does: passes it on to the listener. */
  rearranged(): void {
    this.#listener.onRearranged();
  }

  /** The stream's channels and filter, for a history read that must match the stream. */
  historyQuery(): URLSearchParams {
    const query = new URLSearchParams(this.#query);
    query.delete('tail');
    query.delete('since');
    return query;
  }

  #onStreamState(state: StreamState): void {
    if (state.state === 'live') this.#clockOffset = state.clockOffset;
    const isDropped = /^(?:retrying|refused|forbidden)$/.test(state.state);
    if (isDropped && this.#droppedAt === 0 && this.isLive) this.#droppedAt = Date.now();
    if (state.state !== 'live') this.isLive = false;
    this.#listener.onStreamState(state);
  }

  #onFrames(frames: Frame[]): void {
    let sentAt = 0;
    for (const frame of frames) {
      if (frame.event === '') {
        this.#onEntry(frame);
        // Only live entries measure the lag: replayed ones are old, even in the same batch.
        if (this.isLive && frame.id !== undefined) sentAt = Number.parseInt(frame.id, 10);
      } else {
        this.#onControlFrame(frame);
        if (this.isLive && frame.event === 'ping') sentAt = Number(controlData<Ping>(frame)?.now);
      }
      if (frame.id !== undefined) this.position = frame.id;
    }
    this.#listener.onFrames();
    if (this.isLive && sentAt > 0) this.lag = Math.max(0, Date.now() + this.#clockOffset - sentAt);
  }

  #onEntry(frame: Frame): void {
    const row = parseEntry(frame.data);
    if (!row) return;
    if (row.log !== this.#log && row.log !== undefined) {
      this.#newest.clear();
      this.#log = row.log;
    }
    const isDuplicate = row.n > 0 && row.n <= (this.#newest.get(row.channel) ?? 0);
    this.ledger.countEntry(isDuplicate);
    if (this.#pending) this.#resolvePending(isDuplicate, row.id);
    if (isDuplicate) return;
    if (row.n > 0) this.#newest.set(row.channel, row.n);
    this.buffer.append(row);
    this.#listener.onEntry(row);
  }

  #onControlFrame(frame: Frame): void {
    if (frame.event === 'hello') this.#onHello(controlData<Hello>(frame) ?? {}, frame.id);
    else if (frame.event === 'live') this.#onLive(controlData<Live>(frame) ?? {}, frame.id);
    else if (frame.event === 'gap') this.#onGap(controlData<GapData>(frame) ?? {});
    else if (frame.event === 'ping')
      this.#appendGap(this.ledger.checkPing(Number(controlData<Ping>(frame)?.count), frame.id));
    else if (frame.event === 'bye') this.#onBye(controlData<Bye>(frame) ?? {});
  }

  #onHello(hello: Partial<Hello>, position: string | undefined): void {
    this.gateway = String(hello.gateway ?? '');
    this.narrowedTo = Array.isArray(hello.channels) ? hello.channels.map(String) : undefined;
    this.ledger.beginConnection(hello, position);
    this.isLive = false;
    this.#isResumed = hello.resumed === true;
    if (this.position !== undefined && hello.resumed !== true) {
      this.#pending = new GapRow({
        reason: 'reconnect',
        channel: null,
        after: this.position,
        before: undefined,
        missed: null,
      });
    }
  }

  #onLive({ replayed }: Partial<Live>, position: string | undefined): void {
    this.isLive = true;
    const tail = Number(this.#query.get('tail') ?? Number.POSITIVE_INFINITY);
    if (!this.#isResumed && Number(replayed) > 0 && Number(replayed) >= tail) this.buffer.expectEarlier();
    this.#appendGap(this.ledger.checkReplay(Number(replayed ?? 0), position));
    if (this.#pending) this.#resolvePending(position === this.#pending.after, position);
    if (this.#droppedAt > 0) {
      const away = ((Date.now() - this.#droppedAt) / 1000).toFixed(1);
      this.buffer.append(new MarkRow(`reconnected after ${away} s, ${replayed ?? 0} replayed`));
      this.#droppedAt = 0;
    }
    this.#listener.onLive();
  }

  #onGap(gap: Partial<GapData>): void {
    if (gap.reason === 'reset' || gap.reason === 'rollback') {
      this.#newest.clear();
      this.#reportedGaps = new ReportedGaps();
    }
    if (!isUnreported(gap, this.#reportedGaps)) return;
    this.#pending = undefined;
    const row = gapRow(gap);
    this.ledger.countReportedGap(row);
    this.#appendGap(row);
  }

  #onBye(bye: Partial<Bye>): void {
    if (bye.code === 'lifetime') return;
    const { buffer } = this;
    const name = `the gateway ${this.gateway}`.trimEnd();
    const message = `${name}: ${bye.message ?? bye.code ?? 'closed'}`;
    const last = buffer.get(buffer.end - 1);
    if (last?.kind !== 'mark' || last.message !== message) {
      buffer.append(new MarkRow(message));
      return;
    }
    // Without counting, a gateway that closes every connection would fill the log with marks.
    buffer.remove(last.at);
    buffer.append(new MarkRow(message, last.times + 1));
    this.rearranged();
  }

  #resolvePending(isComplete: boolean, before: string | undefined): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending || isComplete) return;
    pending.before = before;
    this.ledger.countGap(pending);
    this.#appendGap(pending);
  }

  #appendGap(gap: GapRow | undefined): void {
    if (gap) this.buffer.append(gap);
  }
}
