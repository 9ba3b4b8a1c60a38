// Follows one run: every entry of its channel from the first on, reduced to what is shown, once a frame.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { newRun, type RunView, reduceRun } from '@llm-streamer/shared/run.ts';
import { StreamClient } from '../stream/client.ts';
import type { Frame } from '../stream/wire.ts';

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
  readonly #client: StreamClient;
  #run: RunView;
  #skew = 0;
  #frame = 0;

  constructor(id: string, listener: FeedListener) {
    this.#listener = listener;
    this.#run = newRun(id);
    const query = new URLSearchParams({ channels: `runs:${id}`, tail: String(TAIL) });
    this.#client = new StreamClient(new URL(`stream?${query}`, document.baseURI).href, {
      frames: (frames) => this.#take(frames),
      link: (link) => {
        listener.link(link.state === 'live');
        if (link.state !== 'live') return;
        this.#skew = link.clockOffset;
        this.#paint(); // an empty run is something to show as well
      },
    });
    this.#client.start();
  }

  /** Network back, or the page visible again: no longer waits to retry. */
  nudge(): void {
    this.#client.nudge();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#client.stop();
  }

  #take(frames: readonly Frame[]): void {
    for (const { event, data } of frames) {
      if (event === '') this.#run = reduceRun(this.#run, JSON.parse(data) as Entry);
    }
    this.#paint();
    if (this.#run.state === 'running') return;
    this.#client.stop();
    this.#listener.link(undefined);
  }

  #paint(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#listener.changed(this.#run, this.#skew);
    });
  }
}
