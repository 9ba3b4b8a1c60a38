// The contract of the records of conversations; the conformance suite of runs tests every implementation. A record begins with the first
// run of its conversation, in the same step, and outlives the records of its runs: it is kept as long as its turns are.

import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';

export interface ConversationRecord {
  owner: string;
  id: string;
  /** The beginning of the first question, unless somebody has named the conversation. */
  title: string;
  /** The agent that was asked last; absent if tasks and a combiner were. */
  agent?: string;
  /** Epoch milliseconds: when its newest run began. */
  last: number;
  /** How many runs it has had, the newest LISTED_RUNS at most. */
  runs: number;
  /** The ids of its runs that go on, the newest first. */
  running: readonly string[];
}

export interface ConversationStore {
  /** The newest `limit` conversations of the owner that `allows` lets through, the newest first. */
  list(owner: string, limit: number, allows?: (key: OwnedKey) => boolean): Promise<ConversationRecord[]>;
  get(key: OwnedKey): Promise<ConversationRecord | undefined>;
  /** Resolves with whether there is such a conversation. */
  rename(key: OwnedKey, title: string): Promise<boolean>;
  /**
   * Removes the record, the turns, and of each run the record and the entries of its channel, in one step. To readers of those channels
   * the entries have expired. While a run of it goes on, nothing is removed.
   */
  delete(key: OwnedKey): Promise<'deleted' | 'running' | 'unknown'>;
}

/** How many conversations of one owner are listed at most. */
export const LISTED_CONVERSATIONS = 1_000;
