// How a subscription on a replica begins and ends. It begins with a tick, which is sent to the primary and comes by the replica: from
// then on the replica is known to pass on everything, in the order of the log. It ends when the replica loads a copy of the whole
// log, because what was published meanwhile was never passed on; the replica says so by the same subscription, before all that follows.

import type { ChainableCommander } from 'ioredis';
import type { RedisClient } from '../client.ts';
import { isWriteRefused } from '../errors.ts';
import { parseTick, type Tick } from './ticks.ts';

/** A replica that does not bring the first tick in this time is too far behind, or cut off. */
const FIRST_TICK_MS = 2_000;

export class ReplicaEntry {
  #pending: { onTick: (tick: Tick) => void; reject: (error: Error) => void } | undefined;

  /** The connection is gone. */
  reset(): void {
    this.#pending?.reject(new Error('connection lost'));
    this.#pending = undefined;
  }

  /**
   * Has the replica tell of copies that it loads. To be sent in front of the first subscriptions, because it tells connections that have
   * some. This connection reads no key, so that Redis keeps no list of keys for it.
   */
  async listenForCopies({ redis }: RedisClient): Promise<ChainableCommander> {
    const id = await redis.client('ID');
    return redis.pipeline().call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', `${id}`);
  }

  /**
   * Resolves when a tick has come. `subscribe` has the replica pass ticks on, and returns one that is still to be sent. `onTick` is called
   * before anything that follows the tick comes. Where the primary takes no writes, `sendWithoutLease` sends a tick that needs none.
   */
  async enter(
    subscribe: () => Promise<ChainableCommander>,
    sendWithoutLease: () => Promise<void>,
    onTick: (tick: Tick) => void,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const pending = {
      onTick: (tick: Tick) => {
        onTick(tick);
        resolve();
      },
      reject,
    };
    this.#pending = pending;
    const send = async () => {
      const [[error] = [null]] = (await (await subscribe()).exec()) ?? [];
      if (isWriteRefused(error)) await sendWithoutLease();
      else if (error) throw error;
    };
    const timer = setTimeout(() => reject(new Error('the replica is too far behind')), FIRST_TICK_MS);
    await Promise.all([promise, send()]).finally(() => clearTimeout(timer));
  }

  /** Whether a message came before the tick. It is to be dropped: what it says is in history, or is known by the tick. */
  isEarly(message: { kind: string; data: Buffer }): boolean {
    if (this.#pending === undefined) return false;
    const tick = message.kind === 'tick' ? parseTick(message.data) : null;
    if (tick) {
      this.#pending.onTick(tick);
      this.#pending = undefined;
    }
    return true;
  }
}
