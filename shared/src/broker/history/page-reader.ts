// Reads pages of history in either direction. Pages over more than 1,000 channels are read one at a time, because each takes
// megabytes and many round trips: twenty such searches at once took 1.95 GB, and take 0.7 GB one after another (RESULTS.md,
// "twenty filtered searches of them at once").

import type { TimeSlicer } from '../../time-slicer.ts';
import type { Page, ReadQuery } from '../broker.ts';
import { clampUpTo, type LogState } from '../log-state.ts';
import type { Position } from '../position.ts';
import { SerialQueue } from '../serial-queue.ts';
import { readBackwards } from './backwards.ts';
import type { ChannelStreams } from './channel-streams.ts';
import { readForwards } from './forwards.ts';

const MANY_CHANNELS = 1_000;

export class PageReader {
  readonly #streamsUpTo: (state: LogState, upTo: Position) => Promise<ChannelStreams>;
  readonly #state: () => Promise<LogState>;
  readonly #pace: TimeSlicer;
  readonly #widePages = new SerialQueue();

  /** `streamsUpTo` gives streams that hold whatever the log holds up to there. */
  constructor(
    streamsUpTo: (state: LogState, upTo: Position) => Promise<ChannelStreams>,
    state: () => Promise<LogState>,
    pace: TimeSlicer,
  ) {
    this.#streamsUpTo = streamsUpTo;
    this.#state = state;
    this.#pace = pace;
  }

  async readPage(query: ReadQuery): Promise<Page> {
    const page =
      (await this.#readPage(query, MANY_CHANNELS)) ??
      (await this.#widePages.runNext(
        () => this.#readPage(query, Number.POSITIVE_INFINITY),
        query.isAbandoned,
      ));
    const { after, upTo, reverse } = query;
    return page ?? { items: [], next: reverse && upTo !== undefined ? upTo : after, done: false };
  }

  /** Undefined if the page would have to read more than `mostChannels` channels. */
  async #readPage(query: ReadQuery, mostChannels: number): Promise<Page | undefined> {
    const state = await this.#state();
    const streams = await this.#streamsUpTo(state, clampUpTo(state, query.upTo));
    const limits = { mostChannels, pace: this.#pace };
    return query.reverse
      ? readBackwards(streams, state, query, limits)
      : readForwards(streams, state, query, limits);
  }
}
