// The data of the named events of a stream. The gateway writes them and the page reads them; docs/stream.md explains them.

import type { GapReason } from './broker/broker.ts';

export interface Hello {
  gateway: string;
  resumed: boolean;
  /** The count of this query's entries when the connection's live part began; `ping` continues the count. */
  count: number;
  /** A `ping` comes at least once in this time, in ms. */
  keepalive: number;
  /** Epoch ms by the gateway's clock. */
  now: number;
  /** To what the query was narrowed, where the viewer may not read all that he asked for. */
  channels?: readonly string[];
}

export interface Live {
  /** Entries of history that came before this event. */
  replayed: number;
}

export interface Ping {
  now: number;
  count: number;
}

/** Entries whose position is between those of the ids `after` and `before` are missing. */
export interface GapData {
  /** `null`: on any of the query's channels, and maybe on none. */
  channel: string | null;
  after: string;
  before: string;
  reason: GapReason;
  /** How many; `null` if that cannot be known. */
  missed: number | null;
}

/** Why a stream ends. Each is a code of docs/errors.md, "The end of a stream". */
export type ByeCode =
  | 'shutdown'
  | 'lifetime'
  | 'over_limit'
  | 'over_address_limit'
  | 'too_many_views'
  | 'primary_unavailable'
  | 'too_many_patterns'
  | 'not_ready'
  | 'session_ended'
  | 'revoked'
  | 'expired'
  | 'access_changed'
  | 'channels_forbidden';

export interface Bye {
  code: ByeCode;
  message: string;
  /** Milliseconds after which the client may come back. */
  retry?: number;
}
