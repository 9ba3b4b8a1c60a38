// Follows the run that the panel shows: reads the run's channel from its first entry on, and sets the signals of
// state/run-state.ts at most once a frame.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { partsOf, runOfChannel } from '@llm-streamer/shared/ownership.ts';
import { newRun, type RunSnapshot, reduceRun } from '@llm-streamer/shared/run.ts';
import { clockSkew, isFeedOpen, nameInUrl, run, shownChannel } from '../state/run-state.ts';
import { StreamClient } from '../stream/client.ts';

/** As many entries as the gateway replays at most. */
const TAIL = 10_000;

export class RunFeed {
  #client: StreamClient | undefined;
  #frame = 0;
  /** The channel of the run whose stream has ended with the session; else ''. */
  #refused = '';

  /** Shows the run of `channel` from its first entry on, instead of the run shown before. */
  readonly show = (channel: string): void => {
    const key = runOfChannel(channel);
    if (key === undefined) return;
    this.#client?.stop();
    this.#refused = '';
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    run.value = undefined;
    isFeedOpen.value = undefined;
    shownChannel.value = channel;
    nameInUrl(channel);
    let current = newRun(partsOf(key).id);
    const query = new URLSearchParams({ channels: channel, tail: String(TAIL) });
    // Frames of the run shown before may still arrive after its client was stopped; they are ignored.
    const isCurrent = () => this.#client === client;
    const client: StreamClient = new StreamClient(new URL(`stream?${query}`, document.baseURI).href, {
      onFrames: (frames) => {
        if (!isCurrent()) return;
        for (const { event, data } of frames) {
          if (event === '') current = reduceRun(current, JSON.parse(data) as Entry);
        }
        this.#publish(() => current);
        if (current.state === 'running') return;
        client.stop();
        isFeedOpen.value = undefined;
      },
      onStreamState: (state) => {
        if (!isCurrent()) return;
        isFeedOpen.value = state.state === 'live';
        if (state.state === 'refused') this.#refused = channel;
        if (state.state !== 'live') return;
        clockSkew.value = state.clockOffset;
        this.#publish(() => current); // a run without entries is shown, too
      },
    });
    this.#client = client;
    client.start();
  };

  /** After the network came back or the page became visible: a pending retry happens now. */
  readonly nudge = (): void => this.#client?.nudge();

  /** After somebody has signed in again: a run whose stream ended with the session is read anew. */
  readonly again = (): void => {
    if (this.#refused !== '') this.show(this.#refused);
  };

  #publish(latest: () => RunSnapshot): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      run.value = latest();
    });
  }
}
