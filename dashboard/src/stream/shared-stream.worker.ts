// The SharedWorker: one connection per distinct query for all tabs of this browser. A tab that joins later gets the
// latest entries and a `hello` with the current count, so that the tab's own ledger agrees from the first frame on.
// Each session has a worker of its own, named after it, and a stream whose session has ended keeps nothing: what one
// person was sent never reaches the next.

import type { Hello } from '@llm-streamer/shared/stream-events.ts';
import { StreamClient } from './client.ts';
import { controlData, type Frame, type StreamState } from './wire.ts';

export type ToWorker =
  | { type: 'join'; url: string; lock: string; after: string | undefined }
  | { type: 'leave' }
  | { type: 'nudge' };
export type FromWorker =
  | { type: 'frames'; frames: Frame[] }
  | { type: 'state'; state: StreamState }
  | { type: 'sharing'; streams: number; tabs: number };

/** Entries kept for tabs that join later. Older entries can be loaded in the tab with one click. */
const JOURNAL_FRAMES = 2_000;
const JOURNAL_CHARS = 8 * 1024 * 1024;
/** A reload leaves the stream and joins it again: the connection stays open this long without a tab. */
const LINGER_MS = 1_500;

const streams = new Map<string, SharedStream>();

class SharedStream {
  readonly ports = new Set<MessagePort>();
  readonly #url: string;
  readonly #client: StreamClient;
  /** The id after which the stream began, where it continues that of an earlier session. */
  readonly #after: string | undefined;
  /** Whether the journal holds everything since `#after`. */
  #isWhole: boolean;
  #journal: Frame[] = [];
  #journalChars = 0;
  #hello: Frame | undefined;
  #count = 0;
  #isLive = false;
  #state: StreamState = { state: 'connecting', reason: 'connecting' };
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, after?: string) {
    this.#url = url;
    this.#after = after;
    this.#isWhole = after !== undefined;
    const listener = {
      onFrames: (frames: Frame[]) => {
        for (const frame of frames) this.#keep(frame);
        this.#send({ type: 'frames', frames });
      },
      onStreamState: (state: StreamState) => {
        this.#state = state;
        if (state.state === 'refused' || state.state === 'forbidden') this.#forget();
        this.#send({ type: 'state', state });
      },
    };
    this.#client = new StreamClient(url, listener, after);
    this.#client.start();
  }

  join(port: MessagePort, after: string | undefined): void {
    clearTimeout(this.#linger);
    this.ports.add(port);
    post(port, { type: 'state', state: this.#state });
    const resumed = this.#isWhole && after === this.#after;
    if (this.#hello) post(port, { type: 'frames', frames: this.#openingFrames(this.#hello, resumed) });
  }

  leave(port: MessagePort): void {
    this.ports.delete(port);
    if (this.ports.size > 0) return;
    this.#linger = setTimeout(() => {
      this.#client.stop();
      this.#leaveMap();
      announceSharing();
    }, LINGER_MS);
  }

  nudge(): void {
    this.#client.nudge();
  }

  /** The session is over, or may not see this: its lines go, and whoever asks for this stream later begins a new one. */
  #forget(): void {
    this.#journal = [];
    this.#hello = undefined;
    this.#leaveMap();
  }

  // After the stream was refused, another may be in its place.
  #leaveMap(): void {
    if (streams.get(this.#url) === this) streams.delete(this.#url);
  }

  #openingFrames(hello: Frame, resumed: boolean): Frame[] {
    const data = { ...controlData<Hello>(hello), count: this.#count, resumed, now: undefined };
    const opening: Frame = { ...hello, data: JSON.stringify(data) };
    if (!this.#isLive) return [opening, ...this.#journal];
    const replayed = this.#journal.filter((frame) => frame.event === '').length;
    return [opening, ...this.#journal, { event: 'live', data: JSON.stringify({ replayed }) }];
  }

  #keep(frame: Frame): void {
    if (frame.event === 'hello') {
      const hello = controlData<Hello>(frame);
      this.#hello = frame;
      this.#count = Number(hello?.count ?? 0);
      this.#isWhole &&= hello?.resumed === true;
      this.#isLive = false;
    } else if (frame.event === 'live') {
      this.#isLive = true;
    } else if (frame.event === '' || frame.event === 'gap') {
      if (frame.event === '' && this.#isLive) this.#count++;
      this.#journal.push(frame);
      this.#journalChars += frame.data.length;
      if (this.#journal.length > JOURNAL_FRAMES * 2 || this.#journalChars > JOURNAL_CHARS * 2) this.#trim();
    }
  }

  #trim(): void {
    this.#isWhole = false;
    let keep = this.#journal.length;
    this.#journalChars = 0;
    while (keep > 0 && this.#journal.length - keep < JOURNAL_FRAMES && this.#journalChars < JOURNAL_CHARS) {
      this.#journalChars += this.#journal[--keep]?.data.length ?? 0;
    }
    this.#journal = this.#journal.slice(keep);
  }

  #send(message: FromWorker): void {
    for (const port of this.ports) post(port, message);
  }
}

function post(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
}

function announceSharing(): void {
  for (const stream of streams.values()) {
    for (const port of stream.ports) {
      post(port, { type: 'sharing', streams: streams.size, tabs: stream.ports.size });
    }
  }
}

function serve(port: MessagePort): void {
  let joined: SharedStream | undefined;
  const leave = () => {
    joined?.leave(port);
    joined = undefined;
    announceSharing();
  };
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === 'nudge') joined?.nudge();
    else leave();
    if (data.type !== 'join') return;
    joined = streams.get(data.url) ?? new SharedStream(data.url, data.after);
    streams.set(data.url, joined);
    joined.join(port, data.after);
    announceSharing();
    // A tab holds its lock until it is closed or crashes: once the worker gets the lock, the tab is gone.
    if (data.lock !== '') navigator.locks?.request(data.lock, leave).catch(reportError);
  };
}

self.addEventListener('connect', (event) => {
  for (const port of (event as MessageEvent).ports) serve(port);
});
