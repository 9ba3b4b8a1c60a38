// Waits until a query has something new. A wait takes part in the query's view as a viewer does, so that it costs nothing for each entry;
// but it takes no bytes from it: it only hears that there are some, and the entries are then read from history.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { FairBudget } from '../fair-budget.ts';
import { sharerOf } from '../sharer-of.ts';
import type { Segment } from '../stream/live/segment.ts';
import type { Viewer } from '../stream/live/view.ts';
import type { Selection } from '../stream/query/query.ts';
import { CLOSE_REASONS, type Connections } from '../stream/viewer/connections.ts';
import type { Slot } from '../stream/viewer/slot.ts';
import type { Caller } from './caller.ts';

/** Of a process at a time. A client may have half of what the others leave: a hundred, if it is alone. */
export const MAX_WAITS = 200;

export class Waits {
  readonly #connections: Connections;
  readonly #places = new FairBudget(MAX_WAITS);
  readonly #closing = new AbortController();

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** Close it in any case. @throws CodedError if there is no place for it; BrokerUnavailable, ChannelsForbidden */
  async open(selection: Selection, { access, address }: Caller): Promise<Wait> {
    const who = sharerOf(access.principal, address);
    if (!this.#places.fits(who, 1))
      throw new CodedError(
        'too_many_waits',
        'too many calls wait for entries; end one, or ask again in a moment',
      );
    this.#places.take(who, 1);
    let slot: Slot | undefined;
    const leave = () => {
      slot?.release();
      this.#places.give(who, 1);
    };
    try {
      const admitted = await this.#connections.admit(address, access.principal);
      if (typeof admitted === 'string') throw new CodedError(admitted, CLOSE_REASONS[admitted]);
      slot = admitted;
      const refusal = await slot.openView(selection);
      if (refusal !== undefined) throw new CodedError(refusal, CLOSE_REASONS[refusal]);
      return new Wait(slot, this.#closing.signal, leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends all waits, each with what it has. */
  close(): void {
    this.#closing.abort();
  }
}

export class Wait implements Viewer {
  readonly #slot: Slot;
  /** Aborts when the gateway stops. */
  readonly stopping: AbortSignal;
  readonly #leave: () => void;
  #hasNews = false;
  #wake: () => void = () => {};

  constructor(slot: Slot, stopping: AbortSignal, leave: () => void) {
    this.#slot = slot;
    this.stopping = stopping;
    this.#leave = leave;
    slot.view.attachViewer(this);
  }

  deliverSegment(_segment: Segment): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** What comes from now on is news. To be called before history is read, so that nothing comes in between unheard. */
  listen(): void {
    this.#hasNews = false;
  }

  /** Resolves with true at the next news since `listen`, and with false once `over` aborts. */
  async news(over: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    over.addEventListener('abort', this.#wake, { once: true });
    if (!this.#hasNews && !over.aborted) await promise;
    over.removeEventListener('abort', this.#wake);
    return this.#hasNews && !over.aborted;
  }

  close(): void {
    this.#slot.view.detachViewer(this);
    this.#leave();
  }
}
