// The contract of what the rules remember: who applies them, up to where they have read the log, what each alert knows, and which
// messages wait for destinations. A step is stored as a whole with the entries that it writes, or not at all, and only by the gateway
// that applies the rules: so each entry is applied once, whichever gateway dies when.

import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import type { AlertState } from '../alerts/alert-state.ts';

/** Milliseconds after which the lease to apply the rules ends, unless it is renewed. */
export const LEASE_MS = 3_000;
/** A pause of all gateways that is longer counts: what was absent meanwhile may have been written to nobody. */
export const PAUSE_MS = 10_000;
/** Messages that wait for one destination. With more, the oldest is dropped, and counted. */
export const MAX_WAITING = 1_000;

/** What the gateway that applies the rules learns when it takes or renews the lease. */
export interface Lead {
  /** How many steps were stored. */
  seq: number;
  /** Up to where the rules have read the log. */
  position: Position;
  /** The newest position of the log. */
  head: Position;
  /** The log's clock in epoch ms, and since when the rules have been applied without a pause. */
  now: number;
  watched: number;
}

export interface Step {
  /** The number of this step: one more than the steps before it. */
  seq: number;
  position: Position;
  drafts: readonly Draft[];
  /** By the id of the alert: its JSON, or undefined where it is to be forgotten. */
  states: ReadonlyMap<string, string | undefined>;
  firing: ReadonlyMap<string, string | undefined>;
  messages: readonly { destination: string; message: string }[];
}

export interface RulesStore {
  /** Rules that have never been applied begin with what is written from now on. */
  begin(): Promise<void>;
  /** Takes the lease, or renews it. Undefined while another holds it. @throws BrokerUnavailable */
  lead(holder: string): Promise<Lead | undefined>;
  states(): Promise<[string, AlertState][]>;
  /**
   * Stores a step. Gives how many waiting messages were dropped. To store the same step again is harmless.
   * @throws PublishRefused `fenced` if the holder applies the rules no more; what `publish` of a broker throws
   */
  commit(holder: string, step: Step): Promise<{ dropped: number }>;
  /** Lets others take the lease at once. */
  resign(holder: string): Promise<void>;
  /** The alerts that fire now, of whichever gateway. */
  firing(): Promise<FiringAlert[]>;
  /** The oldest messages that wait for a destination. */
  waiting(destination: string, most: number): Promise<string[]>;
  /** Removes the oldest `count` messages. @throws PublishRefused `fenced` */
  delivered(holder: string, destination: string, count: number): Promise<void>;
  close(): Promise<void>;
}
