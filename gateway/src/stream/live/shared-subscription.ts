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

export class SharedSubscription implements Listener {
  readonly channels: readonly string[];
  /** Every entry up to here has come. */
  receivedUpTo: Position = 0;
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
  async addView(view: View): Promise<void> {
    this.#views++;
    await this.#opening;
    view.startLive();
    this.#index.addView(view);
  }

  /** Also a view whose `add` failed. */
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

  /** What comes before it is open is for no view. */
  async #open(broker: Broker): Promise<void> {
    this.#subscription = await broker.subscribe(this.channels, this);
    this.onAdvance(this.#subscription.from);
    if (this.#closed) this.#subscription.close();
  }
}
