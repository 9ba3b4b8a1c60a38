// One view's data: frames in, rows out. Ties source, ledger and buffer together; knows nothing of the screen.

import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { Bye, GapData, Hello, Live, Ping } from '@llm-streamer/shared/stream-events.ts';
import { LogBuffer } from './buffer.ts';
import { Ledger } from './ledger.ts';
import { type EntryRow, GapRow, gapRow, MarkRow, parseEntry } from './row.ts';
import { createSource, type Source } from './source.ts';
import { isUnreported } from './unreported-gap.ts';
import { controlData, type Frame, type StreamState } from './wire.ts';

export interface SessionListener {
  /** Called for each entry as it is put into the buffer. */
  onEntry(row: EntryRow): void;
  /** Frames were taken in; there may be new rows. */
  onFrames(): void;
  /** Rows were put in between or removed: every place may have changed. */
  onRearranged(): void;
  onCleared(): void;
  onStreamState(state: StreamState): void;
  onSharing(streams: number, tabs: number): void;
  /** All that the gateway had at hand is here; what follows is live. */
  onLive(): void;
}

export class Session {
  readonly buffer = new LogBuffer();
  ledger = new Ledger();
  /** How far behind the log's clock the latest live entry or ping came, in ms. */
  lag = 0;
  gateway = '';
  isLive = false;
  /** Id of the newest frame; the cursor of the view. */
  position: string | undefined;
  readonly #listener: SessionListener;
  readonly #source: Source;
  #query = new URLSearchParams();
  #clockOffset = 0;
  #log: string | undefined;
  /** Newest n of each channel: what comes again after a reconnect is not shown again. */
  #newest = new Map<string, number>();
  /** Of each channel, up to where its trimmed or expired entries are in the books: a resume may be told of them again. */
  #reportedGaps = new ReportedGaps();
  /** A connection was not resumed: a gap, unless the replay overlaps or a gap says more. */
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

  /** Begins a view: everything of the one before is forgotten. */
  open(query: URLSearchParams): void {
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
    this.#listener.onCleared();
    this.#source.open(new URL(`stream?${query}`, document.baseURI).href);
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

  /** Rows of the buffer were put in, removed or changed by others. */
  rearranged(): void {
    this.#listener.onRearranged();
  }

  /** The stream's own narrowing, for a history read that must match it. */
  historyQuery(): URLSearchParams {
    const query = new URLSearchParams(this.#query);
    query.delete('tail');
    query.delete('since');
    return query;
  }

  #onStreamState(state: StreamState): void {
    if (state.state === 'live') this.#clockOffset = state.clockOffset;
    if (state.state === 'retrying' && this.#droppedAt === 0 && this.isLive) this.#droppedAt = Date.now();
    if (state.state !== 'live') this.isLive = false;
    this.#listener.onStreamState(state);
  }

  #onFrames(frames: Frame[]): void {
    let sentAt = 0;
    for (const frame of frames) {
      if (frame.event === '') {
        this.#onEntry(frame);
        // What was replayed came late by design, though it may share a batch with what is live.
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
      this.#pushGap(this.ledger.checkPing(Number(controlData<Ping>(frame)?.count), frame.id));
    else if (frame.event === 'bye') this.#onBye(controlData<Bye>(frame) ?? {});
  }

  #onHello(hello: Partial<Hello>, position: string | undefined): void {
    this.gateway = String(hello.gateway ?? '');
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
    this.#pushGap(this.ledger.checkReplay(Number(replayed ?? 0), position));
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
    this.#pushGap(row);
  }

  #onBye(bye: Partial<Bye>): void {
    if (bye.code === 'lifetime') return;
    const { buffer } = this;
    const name = `the gateway ${this.gateway}`.trimEnd();
    const said = `${name}: ${bye.message ?? bye.code ?? 'closed'}`;
    const last = buffer.get(buffer.end - 1);
    if (last?.kind !== 'mark' || last.said !== said) {
      buffer.append(new MarkRow(said));
      return;
    }
    // A gateway that refuses each attempt would write a row for each.
    buffer.remove(last.at);
    buffer.append(new MarkRow(said, last.times + 1));
    this.rearranged();
  }

  #resolvePending(isWhole: boolean, before: string | undefined): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending || isWhole) return;
    pending.before = before;
    this.ledger.countGap(pending);
    this.#pushGap(pending);
  }

  #pushGap(gap: GapRow | undefined): void {
    if (gap) this.buffer.append(gap);
  }
}
