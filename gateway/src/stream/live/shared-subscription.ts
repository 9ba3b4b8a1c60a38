// One subscription for each distinct set of channels, shared by all views of these channels. It keeps the position up to which
// everything has been received, and hands an entry only to the views that may want it.

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

export class SharedSubscription implements Listener {
  readonly channels: readonly string[];
  /** Every entry up to here has been received. */
  receivedUpTo: Position = 0;
  readonly #index = new ViewIndex<View>();
  /** How many views there are, those that are still being added included. */
  #views = 0;
  #closed = false;
  readonly #opening: Promise<void>;
  #subscription: Subscription | undefined;

  constructor(channels: readonly string[], broker: Broker) {
    this.channels = channels;
    this.#opening = this.#open(broker);
  }

  /** Whether no view is left, so that it should be closed. */
  get isIdle(): boolean {
    return this.#views === 0;
  }

  /**
   * Resolves when the view is live: it begins at `receivedUpTo`, and gets everything that comes from now on and that it may
   * want. On quiet channels `receivedUpTo` lags the log by up to a second, until the next tick. @throws BrokerUnavailable
   */
  async addView(view: View): Promise<void> {
    this.#views++;
    await this.#opening;
    view.startLive();
    this.#index.addView(view);
  }

  /** To be called for a view whose `addView` failed, too. */
  removeView(view: View): void {
    this.#views--;
    this.#index.removeView(view);
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.close();
  }

  onRecord(record: LogRecord): void {
    const before = this.receivedUpTo;
    if (record.n > before) this.receivedUpTo = record.n;
    for (const view of this.#index.candidates(record)) view.offerRecord(record, before);
  }

  onGap(gap: Gap): void {
    for (const view of this.#index.all) view.reportGap(gap);
    if (!mayOverlap(gap.reason)) this.onAdvance(gap.before - 1);
  }

  onAdvance(position: Position): void {
    this.receivedUpTo = Math.max(this.receivedUpTo, position);
  }

  pingViews(now: number): void {
    for (const view of this.#index.all) view.ping(now);
  }

  /** No view is live before the subscription is open, so that no view misses an entry that comes before. */
  async #open(broker: Broker): Promise<void> {
    this.#subscription = await broker.subscribe(this.channels, this);
    this.onAdvance(this.#subscription.from);
    if (this.#closed) this.#subscription.close();
  }
}
