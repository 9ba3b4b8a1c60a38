// Waits for the end of a run, on whichever gateway it is.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type OwnedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { followChannel } from './run-reader.ts';
import type { RunRecord, RunStore } from './store/run-store.ts';
import { isEnd } from './wire.ts';

export class RunEnds {
  readonly #broker: Broker;
  readonly #store: Pick<RunStore, 'get'>;
  readonly #everyMs: number;

  /** @param everyMs between looks whether the run still exists: if the log was wiped, no entry says that it has ended. */
  constructor(broker: Broker, store: Pick<RunStore, 'get'>, everyMs: number) {
    this.#broker = broker;
    this.#store = store;
    this.#everyMs = everyMs;
  }

  /** Resolves with the record of the run that has ended; undefined if there is none, or `signal` aborts. */
  async wait(key: OwnedKey, signal: AbortSignal): Promise<RunRecord | undefined> {
    const found = new AbortController();
    const either = AbortSignal.any([signal, found.signal]);
    const look = async () => {
      const record = await this.#store.get(key);
      if (record?.state !== 'running') found.abort();
    };
    // The log may be away; the next look may succeed.
    const timer = setInterval(() => look().catch(() => undefined), this.#everyMs);
    try {
      const head = await this.#broker.head();
      await look();
      for await (const { record } of followChannel(this.#broker, runChannel(key), head, either))
        if (record && isEnd(record.entry)) break;
      return signal.aborted ? undefined : await this.#store.get(key);
    } finally {
      clearInterval(timer);
    }
  }
}
