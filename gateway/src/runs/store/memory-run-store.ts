// The records of runs in memory, for a log in memory. A step is atomic because nothing is awaited between its check and its
// append.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import {
  type EndGuard,
  fenced,
  LISTED_RUNS,
  type RunEnding,
  type RunFacts,
  type RunRecord,
  type RunStore,
} from './run-store.ts';

interface StoredRun {
  token: string;
  record: RunRecord;
}

export class MemoryRunStore implements RunStore {
  readonly #broker: MemoryBroker;
  /** In the order in which the runs began. */
  readonly #runs = new Map<string, StoredRun>();

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  async begin(facts: RunFacts, token: string, drafts: readonly Draft[]): Promise<'started' | 'exists'> {
    const { id } = facts;
    const known = this.#runs.get(id);
    if (known) return known.token === token ? 'started' : 'exists';
    const record: RunRecord = {
      ...facts,
      state: 'running',
      started: Date.now(),
      ended: 0,
      renewed: 1,
      totals: { inputTokens: 0, outputTokens: 0, durationMs: 0 },
    };
    this.#runs.set(id, { token, record });
    await this.#broker.publish(drafts).catch((error: unknown) => {
      this.#runs.delete(id);
      throw error;
    });
    this.#forgetOldest();
    return 'started';
  }

  async append(id: string, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void> {
    const run = this.#runs.get(id);
    if (run?.record.state !== 'running' || run.token !== token) throw fenced();
    run.record.renewed++;
    await this.#broker.publish(drafts, stamp);
  }

  async end(id: string, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean> {
    const run = this.#runs.get(id);
    if (run?.record.state !== 'running' || !allows(guard, run)) return false;
    const before = run.record;
    run.record = { ...before, ...ending, ended: Date.now() };
    await this.#broker.publish(drafts).catch((error: unknown) => {
      run.record = before;
      throw error;
    });
    return true;
  }

  async get(id: string): Promise<RunRecord | undefined> {
    const record = this.#runs.get(id)?.record;
    return record && { ...record };
  }

  async list(limit: number): Promise<RunRecord[]> {
    return [...this.#runs.values()]
      .reverse()
      .slice(0, limit)
      .map(({ record }) => ({ ...record }));
  }

  async running(): Promise<{ id: string; renewed: number }[]> {
    const records = [...this.#runs.values()].map(({ record }) => record);
    return records.filter(({ state }) => state === 'running').map(({ id, renewed }) => ({ id, renewed }));
  }

  async close(): Promise<void> {
    this.#runs.clear();
  }

  #forgetOldest(): void {
    if (this.#runs.size <= LISTED_RUNS) return;
    for (const [id, { record }] of this.#runs) {
      if (record.state === 'running') continue;
      this.#runs.delete(id);
      return;
    }
  }
}

function allows(guard: EndGuard, { token, record }: StoredRun): boolean {
  if (guard === 'anybody') return true;
  return 'token' in guard ? guard.token === token : guard.renewed === record.renewed;
}
