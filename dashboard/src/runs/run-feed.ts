// Follows one run: every entry of its channel from the first on, reduced to what is shown, once a frame.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { newRun, type RunView, reduceRun } from '@llm-streamer/shared/run.ts';

export interface FeedListener {
  /** `skew`: how far the gateway's clock is ahead of ours, in ms. */
  changed(run: RunView, skew: number): void;
  /** Whether the stream is open; `undefined` when it needs no more. */
  link(open: boolean | undefined): void;
}

/** As many as the gateway replays at most. */
const TAIL = 10_000;

export class RunFeed {
  readonly #listener: FeedListener;
  readonly #source: EventSource;
  #run: RunView;
  #skew = 0;
  #frame = 0;

  constructor(id: string, listener: FeedListener) {
    this.#listener = listener;
    this.#run = newRun(id);
    const query = new URLSearchParams({ channels: `runs:${id}`, tail: String(TAIL) });
    this.#source = new EventSource(new URL(`stream?${query}`, document.baseURI));
    this.#source.onmessage = ({ data }: MessageEvent<string>) => this.#take(JSON.parse(data) as Entry);
    this.#source.onopen = () => listener.link(true);
    this.#source.onerror = () => listener.link(false);
    this.#source.addEventListener('hello', ({ data }: MessageEvent<string>) => {
      const { now } = JSON.parse(data) as { now?: number };
      if (typeof now === 'number') this.#skew = now - Date.now();
      this.#paint(); // an empty run is something to show as well
    });
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#source.close();
  }

  #take(entry: Entry): void {
    this.#run = reduceRun(this.#run, entry);
    this.#paint();
    if (this.#run.state === 'running') return;
    this.#source.close();
    this.#listener.link(undefined);
  }

  #paint(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#listener.changed(this.#run, this.#skew);
    });
  }
}
