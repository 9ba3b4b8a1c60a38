// The contract of the records of runs. One conformance suite holds for every implementation. The promise: a run has
// exactly one end, its state and its last entries change in one step, and nothing is written to it after.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { EndState, LaneInfo, RunState } from '@llm-streamer/shared/run.ts';
import type { RunIdentity } from '../run-plan.ts';
import type { RunTotals } from '../usage.ts';

/** What is known of a run when it begins. */
export interface RunFacts extends RunIdentity {
  /** A hash of the request: the same id with another fingerprint is another request. */
  fingerprint: string;
  /** The label of the gateway that runs it. */
  gateway: string;
  lanes: readonly LaneInfo[];
}

export interface RunRecord extends RunFacts {
  state: RunState;
  /** Epoch ms by the log's clock. */
  started: number;
  /** 0 while it runs. */
  ended: number;
  /** Grows with every append and every sign of life. */
  renewed: number;
  totals: RunTotals;
  /** Why the run ended, unless it is `finished`. */
  code?: string;
}

export interface RunEnding extends Pick<RunRecord, 'code' | 'totals'> {
  state: EndState;
}

/** Who may end a run: its owner, by token; anybody, if it has not moved since; anybody at all. */
export type EndGuard = { token: string } | { renewed: number } | 'anybody';

export interface RunStore {
  /** Creates the record and writes the first entries. The same token again is the same beginning, repeated. */
  begin(facts: RunFacts, token: string, drafts: readonly Draft[]): Promise<'started' | 'exists'>;
  /**
   * Appends to a running run and renews it; no drafts renew it only.
   * @throws PublishRefused `fenced` unless it runs under `token`; BrokerUnavailable when the outcome is unknown.
   */
  append(id: string, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void>;
  /** False where the run does not exist, has ended before, or the guard does not hold: then nothing was written. */
  end(id: string, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean>;
  get(id: string): Promise<RunRecord | undefined>;
  /** The newest first. */
  list(limit: number): Promise<RunRecord[]>;
  running(): Promise<{ id: string; renewed: number }[]>;
  close(): Promise<void>;
}

/** Runs that `list` can reach back to. */
export const LISTED_RUNS = 1_000;

export function fenced(): PublishRefused {
  return new PublishRefused('fenced', 'the run has ended');
}
