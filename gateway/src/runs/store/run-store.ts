// The contract of the records of runs; one conformance suite tests every implementation. It guarantees that a run has exactly one
// end, that its state and its last entries are written in one step, and that nothing is written to the run after that.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { EndState, LaneInfo, RunState } from '@llm-streamer/shared/run.ts';
import type { RunIdentity } from '../run-plan.ts';
import type { RunTotals } from '../usage.ts';

/** What is known of a run when it begins. */
export interface RunFacts extends RunIdentity {
  /** A hash of the request: the same key with another fingerprint is another request. */
  fingerprint: string;
  /** The label of the gateway that runs it. */
  gateway: string;
  lanes: readonly LaneInfo[];
}

/** What a run begins with. */
export interface RunBeginning extends RunFacts {
  /** What its conversation is called if this is its first run; absent if it belongs to none. */
  title?: string;
}

/** What was decided about the call of a tool that needs consent. */
export interface Decision {
  approved: boolean;
  /** Who has decided; absent where nobody signs in, and '' if nobody has in time. */
  by?: string;
  /** What the model is told of a denial. */
  reason?: string;
}

/** A call of a tool that needs consent. */
export interface Approval {
  /** The id of the call. */
  id: string;
  /** Absent while nobody has decided. */
  decision?: Decision;
}

export interface RunRecord extends RunFacts {
  state: RunState;
  /** Epoch milliseconds by the log's clock. */
  started: number;
  /** 0 while the run is running. */
  ended: number;
  /** A counter, no time: it grows with every append and every sign of life. */
  renewed: number;
  totals: RunTotals;
  /** The calls for which consent was asked, those of which none waits any more included. */
  approvals: readonly Approval[];
  /** Why the run ended, unless it is `finished`. */
  code?: string;
}

/** The calls of a run that wait for consent. */
export function waitingOf({ state, approvals }: RunRecord): string[] {
  return state === 'running' ? approvals.filter(({ decision }) => !decision).map(({ id }) => id) : [];
}

export interface RunEnding extends Pick<RunRecord, 'code' | 'totals'> {
  state: EndState;
}

/**
 * Who may end a run: its gateway, which knows the fencing token; any gateway, if the record has not been renewed since; any gateway at all.
 * For example, a gateway that saw `renewed` 7 for six seconds ends the run as lost with `{ renewed: 7 }`. If its gateway was only
 * slow and has renewed it to 8 meanwhile, the run goes on.
 */
export type EndGuard = { token: string } | { renewed: number } | 'anybody';

export interface RunStore {
  /**
   * Creates the record and writes the first entries. A call with the fencing token of the record is a repeat: it changes nothing, and is
   * answered as the first one, even if the run has ended meanwhile.
   */
  begin(beginning: RunBeginning, token: string, drafts: readonly Draft[]): Promise<'started' | 'exists'>;
  /**
   * Appends to a running run and renews it; without drafts it is only renewed.
   * @throws PublishRefused `fenced` if the run has ended or has another fencing token; BrokerUnavailable if the outcome is unknown.
   */
  append(key: OwnedKey, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void>;
  /** As `append`; and the call of a tool begins to wait for consent. A repeat changes nothing, even if it was decided meanwhile. */
  ask(
    key: OwnedKey,
    token: string,
    approval: string,
    drafts: readonly Draft[],
    stamp: WriterStamp,
  ): Promise<void>;
  /** Decides about a call that waits; any gateway may. Only if this is the first decision, it and `drafts` are written. */
  decide(
    key: OwnedKey,
    approval: string,
    decision: Decision,
    drafts: readonly Draft[],
  ): Promise<'ok' | 'decided' | 'unknown' | 'ended'>;
  /** False if the run does not exist, has ended already, or `guard` does not hold; then nothing was written. */
  end(key: OwnedKey, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean>;
  get(key: OwnedKey): Promise<RunRecord | undefined>;
  /** The newest `limit` runs of those in `scope`, the newest first. How many runs an owner has moves nobody else's out. */
  list(limit: number, scope?: RunScope): Promise<RunRecord[]>;
  running(): Promise<{ key: OwnedKey; renewed: number }[]>;
  close(): Promise<void>;
}

/** Whose runs a list may show, and which of them. */
export interface RunScope {
  /** Undefined for all owners; of more than LISTED_OWNERS, those who have begun a run last. '' for runs that belong to nobody. */
  owners?: readonly string[] | undefined;
  /** Undefined for all runs of these owners. */
  allows?: ((key: OwnedKey) => boolean) | undefined;
}

/** How many runs of one owner `list` knows at most. */
export const LISTED_RUNS = 1_000;
/** How many owners `list` knows at most, where it is asked for the runs of all. */
export const LISTED_OWNERS = 1_000;

export function fenced(): PublishRefused {
  return new PublishRefused('fenced', 'the run has ended');
}
