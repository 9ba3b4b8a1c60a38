// The log's time. It stands still while the stream is broken, so that no source looks silent only because the stream is.
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
