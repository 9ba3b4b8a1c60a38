// One subscription per distinct set of channels, shared by all views of them: knows how far the log has come for them all,
// and hands an entry to those views only that may want it.

import {
  type Broker,
  type Gap,
  type Listener,
  mayOverlap,
  type Subscription,
} from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import type { View } from './view.ts';
import { ViewIndex } from './view-index.ts';

export class Tap implements Listener {
  readonly channels: readonly string[];
  /** Every entry up to here has come. */
  reached: Position = 0;
  readonly #index = new ViewIndex<View>();
  /** Also those that are still being added. */
  #views = 0;
  #closed = false;
  readonly #opening: Promise<void>;
  #subscription: Subscription | undefined;

  constructor(channels: readonly string[], broker: Broker) {
    this.channels = channels;
    this.#opening = this.#open(broker);
  }

  /** Nobody's: to be closed. */
  get isIdle(): boolean {
    return this.#views === 0;
  }

  /**
   * Resolves when the view is live: it stands at `reached`, on quiet channels up to a second behind the log, and is told of
   * all that it may want and that comes from now on. @throws BrokerUnavailable
   */
  async add(view: View): Promise<void> {
    this.#views++;
    await this.#opening;
    view.begin();
    this.#index.add(view);
  }

  /** Also a view whose `add` failed. */
  remove(view: View): void {
    this.#views--;
    this.#index.remove(view);
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.close();
  }

  entry(record: LogRecord): void {
    const before = this.reached;
    if (record.n > before) this.reached = record.n;
    for (const view of this.#index.candidates(record)) view.entry(record, before);
  }

  gap(gap: Gap): void {
    for (const view of this.#index.all) view.gap(gap);
    if (!mayOverlap(gap.reason)) this.position(gap.before - 1);
  }

  position(position: Position): void {
    this.reached = Math.max(this.reached, position);
  }

  ping(now: number): void {
    for (const view of this.#index.all) view.ping(now);
  }

  /** What comes before it is open is for no view. */
  async #open(broker: Broker): Promise<void> {
    this.#subscription = await broker.subscribe(this.channels, this);
    this.position(this.#subscription.from);
    if (this.#closed) this.#subscription.close();
  }
}
