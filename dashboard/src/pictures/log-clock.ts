// The log's time, as far as it is known: while the stream is broken it stands still, because then only the stream is silent, and nobody
// that a picture shows.
import { streamState } from '../state/store.ts';

export class LogClock {
  #now = Date.now();

  /** In ms; while the stream is broken, the time that was read last. */
  get now(): number {
    const stream = streamState.peek();
    if (stream.state === 'live') this.#now = Date.now() + stream.clockOffset;
    return this.#now;
  }
}
