// Reads pages of history in either direction. Pages over very many channels take turns: together they would hold megabytes
// each, and keep the process from all else.

import type { TimeSlicer } from '../../time-slicer.ts';
import type { Page, ReadQuery } from '../broker.ts';
import type { LogState } from '../log-state.ts';
import { SerialQueue } from '../serial-queue.ts';
import { readBackwards } from './backwards.ts';
import type { ChannelStreams } from './channel-streams.ts';
import { readForwards } from './forwards.ts';

const MANY_CHANNELS = 1_000;

export class PageReader {
  readonly #streams: ChannelStreams;
  readonly #state: () => Promise<LogState>;
  readonly #pace: TimeSlicer;
  readonly #widePages = new SerialQueue();

  constructor(streams: ChannelStreams, state: () => Promise<LogState>, pace: TimeSlicer) {
    this.#streams = streams;
    this.#state = state;
    this.#pace = pace;
  }

  async readPage(query: ReadQuery): Promise<Page> {
    const page =
      (await this.#page(query, MANY_CHANNELS)) ??
      (await this.#widePages.runNext(() => this.#page(query, Number.POSITIVE_INFINITY), query.isAbandoned));
    const { after, upTo, reverse } = query;
    return page ?? { items: [], next: reverse && upTo !== undefined ? upTo : after, done: false };
  }

  /** Undefined where it would be over more than so many channels. */
  async #page(query: ReadQuery, mostChannels: number): Promise<Page | undefined> {
    const state = await this.#state();
    const reach = { mostChannels, pace: this.#pace };
    return query.reverse
      ? readBackwards(this.#streams, state, query, reach)
      : readForwards(this.#streams, state, query, reach);
  }
}
