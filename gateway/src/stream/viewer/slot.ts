// What one viewer occupies: its place among the connections, its share of a view, and its share of the view's compressor.
// Whoever holds a slot calls `release` once, at any stage, and all that was taken by then is given back.

import type { Principal } from '../../auth/principal.ts';
import { sharerOf } from '../../sharer-of.ts';
import type { CompressedView } from '../live/compressed-view.ts';
import type { Hub, HubRefusal, SharedView } from '../live/hub.ts';
import type { View } from '../live/view.ts';
import type { Selection } from '../query/query.ts';
import type { ConnectionLimiter } from './connection-limiter.ts';

export class Slot {
  readonly #hub: Hub;
  readonly #limiter: ConnectionLimiter;
  readonly #address: string;
  /** Whose it is: with his rights it ends. */
  readonly principal: Principal;
  #shared: SharedView | undefined;
  #compressed: CompressedView | null = null;

  /** `address`: where the viewer comes from; the limiter has counted it already. */
  constructor(hub: Hub, limiter: ConnectionLimiter, address: string, principal: Principal) {
    this.#hub = hub;
    this.#limiter = limiter;
    this.#address = address;
    this.principal = principal;
  }

  /** Takes a share of the view, once; or says why there is none. @throws BrokerUnavailable, ChannelsForbidden */
  async openView(selection: Selection): Promise<HubRefusal | undefined> {
    const who = sharerOf(this.principal, this.#address);
    const refusal = this.#hub.refusal(selection, who);
    if (refusal === undefined) this.#shared = await this.#hub.acquire(selection, who);
    return refusal;
  }

  /** The open view. */
  get view(): View {
    if (!this.#shared) throw new Error('the slot has no view yet');
    return this.#shared.view;
  }

  /** What compresses the view; null if this viewer gets it uncompressed. */
  get compressed(): CompressedView | null {
    return this.#compressed;
  }

  /** Takes a share of the view's compressor, if there is one to be had. */
  compress(): void {
    if (this.#shared) this.#compressed = this.#hub.acquireCompressed(this.#shared);
  }

  release(): void {
    if (this.#shared) {
      if (this.#compressed) this.#hub.releaseCompressed(this.#shared);
      this.#hub.release(this.#shared);
    }
    this.#limiter.release(this.#address);
  }
}
