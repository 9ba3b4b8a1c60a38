// One per process: distinct sets of channels → taps, distinct queries → views, and the clock that flushes and pings them all.
// Owns no sockets.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type GapCounts, gapCounts } from '../metrics.ts';
import { type Selection, selectionKey } from '../query/query.ts';
import { CompressedView } from './compressed-view.ts';
import { PatternBudget } from './pattern-budget.ts';
import { SharedSubscription } from './shared-subscription.ts';
import { View } from './view.ts';

/** A write of so many bytes costs its copying; one that carries more is no cheaper per byte. */
const FULL_WRITE_BYTES = 65_536;
/** No timer is shorter. */
const LEAST_WAIT_MS = 1;

export interface HubOptions extends Partial<HubTuning> {
  /** Milliseconds between pings. */
  keepAliveMs: number;
  /** Distinct queries at a time. */
  maxViews: number;
}

/** What only tests change. */
export interface HubTuning {
  /** Milliseconds that a flush may wait under load; it never waits when the stream was quiet. */
  flushWindowMs: number;
  /** Bytes of recent segments that are kept while a viewer lags: for one view, and for all views together. */
  viewRingBytes: number;
  ringBytes: number;
  /** How many views may have a compressor for gzip viewers; it takes about 160 kB. */
  maxCompressed: number;
}

const TUNING: HubTuning = {
  // A person does not notice a delay of 50 ms, and writes that carry 50 ms of entries are large enough to be cheap.
  flushWindowMs: 50,
  // A viewer that lags by less is served from memory. One that lags by more reads the log, which costs Redis a request.
  viewRingBytes: 4_194_304,
  // The most that all lagging viewers together can make a gateway keep.
  ringBytes: 67_108_864,
  // 80 MB. A view beyond it is sent without compression.
  maxCompressed: 500,
};

interface Slot {
  view: View;
  subscription: SharedSubscription;
  opening: Promise<void>;
  viewers: number;
  compressed: CompressedView | undefined;
  compressedViewers: number;
}

export class Hub {
  readonly #broker: Broker;
  readonly #options: HubOptions & HubTuning;
  readonly #gaps: GapCounts;
  readonly #subscriptions = new Map<string, SharedSubscription>();
  readonly #slots = new Map<string, Slot>();
  readonly #patterns = new PatternBudget();
  /** To flush, each once. Not a Set: a table it clears keeps the next one alive, and the collector promotes them all. */
  #dirty: View[] = [];
  readonly #pinger: NodeJS.Timeout;
  #compressed = 0;
  #scheduled = false;
  #notBefore = 0;

  /** `gaps` counts the gaps that views meet. */
  constructor(broker: Broker, options: HubOptions, gaps = gapCounts()) {
    this.#broker = broker;
    this.#gaps = gaps;
    this.#options = { ...TUNING, ...options };
    this.#pinger = setInterval(() => this.#ping(), options.keepAliveMs);
  }

  get views(): number {
    return this.#slots.size;
  }

  /** Why one more viewer of a query does not fit; undefined where it does. */
  refusal(selection: Selection): 'too_many_views' | 'too_many_patterns' | undefined {
    if (this.#slots.has(selectionKey(selection))) return undefined;
    if (this.#slots.size >= this.#options.maxViews) return 'too_many_views';
    return this.#patterns.fits(selection.channels) ? undefined : 'too_many_patterns';
  }

  /** The live view of a selection; give it back with `release`. @throws BrokerUnavailable */
  async acquire(selection: Selection): Promise<View> {
    const key = selectionKey(selection);
    let slot = this.#slots.get(key);
    if (!slot) {
      const tap = this.#subscriptionFor(selection.channels);
      const view = new View(selection, tap, (dirty) => this.#schedule(dirty), this.#gaps);
      slot = {
        view,
        subscription: tap,
        opening: tap.addView(view),
        viewers: 0,
        compressed: undefined,
        compressedViewers: 0,
      };
      this.#slots.set(key, slot);
    }
    slot.viewers++;
    try {
      await slot.opening;
      return slot.view;
    } catch (error) {
      this.release(slot.view);
      throw error;
    }
  }

  release(view: View): void {
    const key = selectionKey(view.selection);
    const slot = this.#slots.get(key);
    if (slot?.view !== view || --slot.viewers > 0) return;
    this.#slots.delete(key);
    view.close();
    slot.subscription.removeView(view);
    if (!slot.subscription.isIdle) return;
    this.#subscriptions.delete(slot.subscription.channels.join(','));
    this.#patterns.remove(slot.subscription.channels);
    slot.subscription.close();
  }

  /** What compresses a view for all its gzip viewers; give it back with `releaseCompressed`. Null: send it as it is. */
  acquireCompressed(view: View): CompressedView | null {
    const slot = this.#slots.get(selectionKey(view.selection));
    if (slot?.view !== view) return null;
    if (!slot.compressed) {
      if (this.#compressed >= this.#options.maxCompressed) return null;
      this.#compressed++;
      slot.compressed = new CompressedView(view, this.#options.flushWindowMs);
    }
    slot.compressedViewers++;
    return slot.compressed;
  }

  /** Before the view itself is released. */
  releaseCompressed({ view }: CompressedView): void {
    const slot = this.#slots.get(selectionKey(view.selection));
    if (slot?.view !== view || --slot.compressedViewers > 0) return;
    slot.compressed?.close();
    slot.compressed = undefined;
    this.#compressed--;
  }

  close(): void {
    clearInterval(this.#pinger);
    for (const { view, compressed } of this.#slots.values()) {
      compressed?.close();
      view.close();
    }
    for (const tap of this.#subscriptions.values()) tap.close();
    this.#slots.clear();
    this.#subscriptions.clear();
  }

  #subscriptionFor(channels: readonly string[]): SharedSubscription {
    const key = channels.join(',');
    const known = this.#subscriptions.get(key);
    if (known) return known;
    const tap = new SharedSubscription(channels, this.#broker);
    this.#subscriptions.set(key, tap);
    this.#patterns.add(channels);
    return tap;
  }

  #ping(): void {
    const now = Date.now();
    for (const tap of this.#subscriptions.values()) tap.pingViews(now);
  }

  /**
   * At once when quiet. Under load flushes take half of the time, so that each write carries more the busier it is; once
   * writes are so large that waiting makes them no cheaper, none waits.
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
    const ringLimit = Math.min(viewRingBytes, ringBytes / Math.max(1, this.#slots.size));
    const views = this.#dirty;
    this.#dirty = [];
    let largest = 0;
    for (const view of views) largest = Math.max(largest, view.flush(ringLimit));
    const now = performance.now();
    const took = largest < FULL_WRITE_BYTES ? now - began : 0;
    // What is too short to wait for adds up.
    this.#notBefore = Math.max(this.#notBefore, began) + took + Math.min(flushWindowMs, took);
  }
}
