// What the routes of the HTTP API answer, apart from streams. The gateway builds these answers and the page reads them;
// docs/http-api.md explains them. Times are epoch milliseconds.

import type { Entry } from './entry.ts';
import type { LaneView, RunState } from './run.ts';
import type { GapData } from './stream-events.ts';

/** Every error, as `application/problem+json` (RFC 9457). */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  /** A stable code; docs/errors.md lists all. */
  code: string;
  /** What is wrong with this request, and what is allowed. */
  detail: string;
  /** The parameter, header or field that is at fault. */
  field?: string;
}

/** POST /api/publish */
export interface PublishAnswer {
  /** The id of each entry, in order; `null` for an entry that an earlier request with the same stamp had stored. */
  ids: (string | null)[];
}

/** GET /api/channels */
export interface ChannelsAnswer {
  channels: ChannelSummary[];
}

export interface ChannelSummary {
  channel: string;
  /** Entries that the log still has. */
  entries: number;
  /** Entries that were ever written to it. */
  total: number;
  /** Entries per second; `null` if the list was not asked for in the last seconds, so that there is no earlier count. */
  rate: number | null;
  /** The id of the newest entry. */
  last: string;
  lastTime: number | null;
}

/** GET /api/entries */
export interface EntriesPage {
  entries: Entry[];
  gaps: GapData[];
  /** The id with which the next page is asked for. */
  next: string;
  done: boolean;
}

/** GET /sse/health */
export interface StreamHealth {
  status: 'ok' | 'degraded';
  /** Why the log cannot serve. */
  reason?: string;
  gateway: string;
  /** Whether the log is in Redis. */
  redis: boolean;
  connections: number;
  lagging: number;
  views: number;
  connected: number;
  resumed: number;
  resumedWithGap: number;
  refused: number;
  stalled: number;
  reconnects: number;
  adopted: number;
}

/** POST /api/process */
export interface ProcessRequest {
  message: string;
  message_id: string;
  conversation_id?: string;
}

/** GET /api/runs */
export interface RunsAnswer {
  runs: RunSummary[];
}

/** A run in a list; also the answer to a cancel, and to POST /api/process with `Prefer: respond-async`. */
export interface RunSummary {
  message_id: string;
  conversation_id?: string;
  state: RunState;
  /** Why it ended, unless it is `finished`. */
  code?: string;
  gateway: string;
  prompt_version: string;
  models: { source: string; provider: string; model: string }[];
  started: number;
  ended?: number;
  duration_ms?: number;
  usage: RunUsage;
}

/** What a run has used; of all its lanes together. */
export interface RunUsage {
  input_tokens: number;
  output_tokens: number;
  /** The numbers are estimates, in part or as a whole. */
  estimated?: true;
}

/** GET /api/runs/:id */
export interface RunDetail extends RunSummary {
  /** Entries of the run are no longer kept, so that texts are incomplete. */
  trimmed?: true;
  /** The texts are longer than an answer may be, and end where the limit was reached. */
  cut?: true;
  lanes: LaneView[];
}

/** GET /api/conversations/:id */
export interface Conversation {
  conversation_id: string;
  /** There are earlier turns. */
  trimmed?: true;
  /** The oldest first. */
  turns: { role: 'user' | 'assistant'; message: string; message_id: string; time: number }[];
}
