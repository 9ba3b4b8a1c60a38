// Pages of history from a replica, as far as it has come. What it lacks, or does not answer in time, is read from the primary.

import type { TimeSlicer } from '../../time-slicer.ts';
import type { LogState } from '../log-state.ts';
import type { Position } from '../position.ts';
import type { RedisClient } from './client.ts';
import type { RedisKeys } from './keys.ts';
import { RedisStreams } from './streams.ts';

/** A replica that takes longer to say how far it has come is passed over for a while. */
const ANSWER_MS = 300;
const REST_MS = 5_000;

export class ReplicaReads {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  #restsUntil = 0;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** The streams of a replica that holds this log up to `upTo`; undefined if none is known to. */
  async streamsUpTo(
    { token }: LogState,
    upTo: Position,
    pace: TimeSlicer,
  ): Promise<RedisStreams | undefined> {
    const client = this.#client;
    if (!client.onReplica || performance.now() < this.#restsUntil) return undefined;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), ANSWER_MS);
    const asked = client.redis.hmget(this.#keys.log, 'token', 'n', 'run').catch(() => undefined);
    const answer = await Promise.race([asked, late.promise]);
    clearTimeout(timer);
    if (answer === undefined) this.rest();
    const [itsToken, n, run] = answer ?? [];
    // The same server writes both: a replica of another one may hold entries that the log has lost.
    if (itsToken !== token || Number(n) < upTo || !client.isOn(`${run}`)) return undefined;
    return new RedisStreams(client, this.#keys, pace);
  }

  /** A page failed that may have been read here. */
  rest(): void {
    this.#restsUntil = performance.now() + REST_MS;
  }
}
