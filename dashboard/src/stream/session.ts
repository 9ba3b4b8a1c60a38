// One view's data: frames in, rows out. Ties source, ledger and buffer together; knows nothing of the screen.

import { Told } from '@llm-streamer/shared/broker/told.ts';
import { LogBuffer } from './buffer.ts';
import { Ledger } from './ledger.ts';
import { type EntryRow, HoleRow, MarkRow, parseEntry } from './row.ts';
import { createSource, type Source } from './source.ts';
import { isNews } from './told.ts';
import {
  type Bye,
  controlData,
  type Frame,
  type Hello,
  type LinkState,
  type Live,
  type Ping,
  type WireGap,
} from './wire.ts';

export interface SessionListener {
  /** Called for each entry as it is put into the buffer. */
  entry(row: EntryRow): void;
  /** Frames were taken in; there may be new rows. */
  took(): void;
  /** Rows were put in between or removed: every place may have changed. */
  rearranged(): void;
  cleared(): void;
  link(state: LinkState): void;
  sharing(streams: number, tabs: number): void;
  /** All that the gateway had at hand is here; what follows is live. */
  live(): void;
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
  #told = new Told();
  /** A connection was not resumed: a hole, unless the replay overlaps or a gap says more. */
  #pending: HoleRow | undefined;
  #isResumed = false;
  #droppedAt = 0;

  constructor(listener: SessionListener, shared: boolean) {
    this.#listener = listener;
    this.#source = createSource(
      {
        frames: (frames) => this.#take(frames),
        link: (state) => this.#link(state),
        sharing: (streams, tabs) => listener.sharing(streams, tabs),
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
    this.#told = new Told();
    this.#log = undefined;
    this.#pending = undefined;
    this.#droppedAt = 0;
    this.position = undefined;
    this.isLive = false;
    this.lag = 0;
    this.#listener.cleared();
    this.#source.open(new URL(`stream?${query}`, document.baseURI).href);
  }

  nudge(): void {
    this.#source.nudge();
  }

  close(): void {
    this.#source.close();
  }

  mark(text: string): void {
    this.buffer.push(new MarkRow(text));
  }

  /** Rows of the buffer were put in, removed or changed by others. */
  rearranged(): void {
    this.#listener.rearranged();
  }

  /** The stream's own narrowing, for a history read that must match it. */
  historyQuery(): URLSearchParams {
    const query = new URLSearchParams(this.#query);
    query.delete('tail');
    query.delete('since');
    return query;
  }

  #link(state: LinkState): void {
    if (state.state === 'live') this.#clockOffset = state.clockOffset;
    if (state.state === 'retrying' && this.#droppedAt === 0 && this.isLive) this.#droppedAt = Date.now();
    if (state.state !== 'live') this.isLive = false;
    this.#listener.link(state);
  }

  #take(frames: Frame[]): void {
    let sentAt = 0;
    for (const frame of frames) {
      if (frame.event === '') {
        this.#entry(frame);
        // What was replayed came late by design, though it may share a batch with what is live.
        if (this.isLive && frame.id !== undefined) sentAt = Number.parseInt(frame.id, 10);
      } else {
        this.#control(frame);
        if (this.isLive && frame.event === 'ping') sentAt = Number(controlData<Ping>(frame)?.now);
      }
      if (frame.id !== undefined) this.position = frame.id;
    }
    this.#listener.took();
    if (this.isLive && sentAt > 0) this.lag = Math.max(0, Date.now() + this.#clockOffset - sentAt);
  }

  #entry(frame: Frame): void {
    const row = parseEntry(frame.data);
    if (!row) return;
    if (row.log !== this.#log && row.log !== undefined) {
      this.#newest.clear();
      this.#log = row.log;
    }
    const isDuplicate = row.n > 0 && row.n <= (this.#newest.get(row.channel) ?? 0);
    this.ledger.entry(isDuplicate);
    if (this.#pending) this.#resolvePending(isDuplicate, row.id);
    if (isDuplicate) return;
    if (row.n > 0) this.#newest.set(row.channel, row.n);
    this.buffer.push(row);
    this.#listener.entry(row);
  }

  #control(frame: Frame): void {
    if (frame.event === 'hello') this.#hello(controlData<Hello>(frame) ?? {}, frame.id);
    else if (frame.event === 'live') this.#live(controlData<Live>(frame) ?? {}, frame.id);
    else if (frame.event === 'gap') this.#gap(controlData<WireGap>(frame) ?? {});
    else if (frame.event === 'ping')
      this.#hole(this.ledger.ping(Number(controlData<Ping>(frame)?.count), frame.id));
    else if (frame.event === 'bye') this.#bye(controlData<Bye>(frame) ?? {});
  }

  #hello(hello: Partial<Hello>, position: string | undefined): void {
    this.gateway = String(hello.gateway ?? '');
    this.ledger.hello(hello, position);
    this.isLive = false;
    this.#isResumed = hello.resumed === true;
    if (this.position !== undefined && hello.resumed !== true) {
      this.#pending = new HoleRow({
        reason: 'reconnect',
        channel: null,
        after: this.position,
        before: undefined,
        missed: null,
      });
    }
  }

  #live({ replayed }: Partial<Live>, position: string | undefined): void {
    this.isLive = true;
    const tail = Number(this.#query.get('tail') ?? Number.POSITIVE_INFINITY);
    if (!this.#isResumed && Number(replayed) > 0 && Number(replayed) >= tail) this.buffer.expectEarlier();
    this.#hole(this.ledger.live(Number(replayed ?? 0), position));
    if (this.#pending) this.#resolvePending(position === this.#pending.after, position);
    if (this.#droppedAt > 0) {
      const away = ((Date.now() - this.#droppedAt) / 1000).toFixed(1);
      this.buffer.push(new MarkRow(`reconnected after ${away} s, ${replayed ?? 0} replayed`));
      this.#droppedAt = 0;
    }
    this.#listener.live();
  }

  #gap(gap: Partial<WireGap>): void {
    if (gap.reason === 'reset' || gap.reason === 'rollback') {
      this.#newest.clear();
      this.#told = new Told();
    }
    if (!isNews(gap, this.#told)) return;
    this.#pending = undefined;
    this.#hole(this.ledger.gap(gap));
  }

  #bye(bye: Partial<Bye>): void {
    if (bye.code === 'lifetime') return;
    const { buffer } = this;
    const name = `the gateway ${this.gateway}`.trimEnd();
    const said = `${name}: ${bye.message ?? bye.code ?? 'closed'}`;
    const last = buffer.get(buffer.end - 1);
    if (last?.kind !== 'mark' || last.said !== said) {
      buffer.push(new MarkRow(said));
      return;
    }
    // A gateway that refuses each attempt would write a row for each.
    buffer.remove(last.at);
    buffer.push(new MarkRow(said, last.times + 1));
    this.rearranged();
  }

  #resolvePending(isWhole: boolean, before: string | undefined): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending || isWhole) return;
    pending.before = before;
    this.ledger.add(pending);
    this.#hole(pending);
  }

  #hole(hole: HoleRow | undefined): void {
    if (hole) this.buffer.push(hole);
  }
}
