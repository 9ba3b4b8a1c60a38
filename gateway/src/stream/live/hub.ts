// The views of one process, and the one clock that flushes and pings them. Equal queries share a view, and views of the same
// channels share a subscription, so that a thousand viewers of one query cost one filter and one encoding. Owns no sockets.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type Selection, selectionKey } from '../query/query.ts';
import { CompressedView } from './compressed-view.ts';
import type { GapCounts } from './gap-counts.ts';
import { PatternBudget } from './pattern-budget.ts';
import { SharedSubscription } from './shared-subscription.ts';
import { View } from './view.ts';

/** The cost of a write grows with its bytes from here on: a larger one costs no less per byte. See RESULTS.md, "fan-out 1 × 1,000". */
const FULL_WRITE_BYTES = 65_536;
/** No timer waits for a shorter time. */
const LEAST_WAIT_MS = 1;

export interface HubOptions extends Partial<HubTuning> {
  /** Milliseconds between pings. */
  keepAliveMs: number;
  /** How many distinct queries there may be at a time. */
  maxViews: number;
}

/** Settings that only tests change. */
export interface HubTuning {
  /** Milliseconds that a flush may wait under load; it never waits when the stream was quiet. */
  flushWindowMs: number;
  /** Bytes of recent segments that are kept while a viewer lags: for one view, and for all views together. */
  viewRingBytes: number;
  ringBytes: number;
  /** How many views may have a compressor for gzip viewers; each compressor takes about 160 kB. */
  maxCompressed: number;
}

const TUNING: HubTuning = {
  // A person does not notice a delay of 50 ms. With 1,000 entries a second, a write then carries fifty of them.
  flushWindowMs: 50,
  // A viewer that lags by less is served from memory. One that lags by more reads the log, which costs Redis a request.
  viewRingBytes: 4_194_304,
  // The most that all lagging viewers together can make a gateway keep.
  ringBytes: 67_108_864,
  // They take 80 MB. Further views are sent without compression.
  maxCompressed: 500,
};

/** A view with all that its viewers share. Every `acquire` of the hub gives a share of it, and every share is released once. */
export interface SharedView {
  readonly key: string;
  readonly view: View;
  readonly subscription: SharedSubscription;
  readonly opening: Promise<void>;
  viewers: number;
  compressed: CompressedView | undefined;
  compressedViewers: number;
}

export type HubRefusal = 'too_many_views' | 'too_many_patterns';

export class Hub {
  readonly #broker: Broker;
  readonly #options: HubOptions & HubTuning;
  readonly #gaps: GapCounts;
  readonly #subscriptions = new Map<string, SharedSubscription>();
  readonly #sharedViews = new Map<string, SharedView>();
  readonly #patterns = new PatternBudget();
  /**
   * Views that wait for the flush, each once. An array and not a Set: the old tables of a Set that is filled and cleared keep
   * its new ones alive, and the collector promoted 1.2 MB a second instead of 0.5 (RESULTS.md, "promoted per second").
   */
  #dirty: View[] = [];
  readonly #pinger: NodeJS.Timeout;
  #compressed = 0;
  #scheduled = false;
  #notBefore = 0;

  /** `gaps` counts the gaps that views report. */
  constructor(broker: Broker, options: HubOptions, gaps: GapCounts) {
    this.#broker = broker;
    this.#gaps = gaps;
    this.#options = { ...TUNING, ...options };
    this.#pinger = setInterval(() => this.#ping(), options.keepAliveMs);
  }

  get views(): number {
    return this.#sharedViews.size;
  }

  /** Why there is no room for one more viewer of a query; undefined if there is. @param who shares patterns, as in `sharerOf` */
  refusal(selection: Selection, who: string): HubRefusal | undefined {
    if (this.#sharedViews.has(selectionKey(selection))) return undefined;
    if (this.#sharedViews.size >= this.#options.maxViews) return 'too_many_views';
    return this.#patterns.fits(selection.channels, who) ? undefined : 'too_many_patterns';
  }

  /** A share of the live view of a selection; give it back with `release`. @throws BrokerUnavailable, ChannelsForbidden */
  async acquire(selection: Selection, who: string): Promise<SharedView> {
    const key = selectionKey(selection);
    let shared = this.#sharedViews.get(key);
    if (!shared) {
      const subscription = this.#subscriptionFor(selection.channels, who);
      const view = new View(selection, subscription, (dirty) => this.#schedule(dirty), this.#gaps);
      shared = {
        key,
        view,
        subscription,
        opening: subscription.addView(view),
        viewers: 0,
        compressed: undefined,
        compressedViewers: 0,
      };
      this.#sharedViews.set(key, shared);
    }
    shared.viewers++;
    try {
      await shared.opening;
      return shared;
    } catch (error) {
      this.release(shared);
      throw error;
    }
  }

  /** Gives a share back; the last one closes the view. */
  release(shared: SharedView): void {
    const { key, view, subscription } = shared;
    // After `close` there is nothing left to give back.
    if (this.#sharedViews.get(key) !== shared || --shared.viewers > 0) return;
    this.#sharedViews.delete(key);
    view.close();
    subscription.removeView(view);
    if (!subscription.isIdle) return;
    this.#subscriptions.delete(subscription.channels.join(','));
    this.#patterns.removePatterns(subscription.channels);
    subscription.close();
  }

  /**
   * What compresses a view for all its gzip viewers; give it back with `releaseCompressed`. Null when as many views as may be
   * have a compressor: the viewer gets the view uncompressed.
   */
  acquireCompressed(shared: SharedView): CompressedView | null {
    if (!shared.compressed) {
      if (this.#compressed >= this.#options.maxCompressed) return null;
      this.#compressed++;
      shared.compressed = new CompressedView(shared.view, this.#options.flushWindowMs);
    }
    shared.compressedViewers++;
    return shared.compressed;
  }

  /** To be called before the share itself is released. */
  releaseCompressed(shared: SharedView): void {
    if (--shared.compressedViewers > 0) return;
    shared.compressed?.close();
    shared.compressed = undefined;
    this.#compressed--;
  }

  close(): void {
    clearInterval(this.#pinger);
    for (const { view, compressed } of this.#sharedViews.values()) {
      compressed?.close();
      view.close();
    }
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#sharedViews.clear();
    this.#subscriptions.clear();
  }

  #subscriptionFor(channels: readonly string[], who: string): SharedSubscription {
    const key = channels.join(',');
    const known = this.#subscriptions.get(key);
    if (known) return known;
    const subscription = new SharedSubscription(channels, this.#broker);
    this.#subscriptions.set(key, subscription);
    this.#patterns.addPatterns(channels, who);
    return subscription;
  }

  #ping(): void {
    const now = Date.now();
    for (const subscription of this.#subscriptions.values()) subscription.pingViews(now);
  }

  /**
   * Flushes at once when the stream is quiet. Under load flushes take half of the time: a flush that took 20 ms is followed by
   * a wait of 20 ms, so that the next write carries more. When a write has FULL_WRITE_BYTES, waiting would make the next one no
   * cheaper, so that no wait follows.
   */
  #schedule(view: View): void {
    this.#dirty.push(view);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#notBefore - performance.now();
    if (wait < LEAST_WAIT_MS) setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), wait);
  }

  #flush(): void {
    this.#scheduled = false;
    const began = performance.now();
    const { viewRingBytes, ringBytes, flushWindowMs } = this.#options;
    const ringLimit = Math.min(viewRingBytes, ringBytes / Math.max(1, this.#sharedViews.size));
    const views = this.#dirty;
    this.#dirty = [];
    let largest = 0;
    for (const view of views) largest = Math.max(largest, view.flush(ringLimit));
    const now = performance.now();
    const took = largest < FULL_WRITE_BYTES ? now - began : 0;
    // Waits that are too short for a timer add up until one is long enough.
    this.#notBefore = Math.max(this.#notBefore, began) + took + Math.min(flushWindowMs, took);
  }
}
