// What the routes of the HTTP API answer, apart from streams. The gateway builds these answers and the page reads them;
// docs/http-api.md explains them. Times are epoch milliseconds.

import type { Entry } from './entry.ts';
import type { LaneSnapshot, RunState } from './run.ts';
import type { GapData } from './stream-events.ts';
import type { ToolCallSnapshot } from './tool-calls.ts';

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
export type PublishAnswer =
  | {
      /** The id of each entry, in order; `null` for an entry that an earlier request with the same stamp had stored. */
      ids: (string | null)[];
    }
  | {
      /** How many entries of a request that was more than one batch. */
      stored: number;
    };

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
  /** To what the query was narrowed, where not all that it asks for may be read. */
  channels?: readonly string[];
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
  /** Who has begun it; absent where runs belong to nobody. */
  owner?: string;
  /** Where its entries are: `runs:<message_id>`, or `runs:<owner>/<message_id>`. */
  channel: string;
  conversation_id?: string;
  /** The agent that was asked; absent if tasks and a combiner were. */
  agent?: string;
  /** The run whose question was edited, so that this one took its place in the conversation. */
  replaces?: string;
  state: RunState;
  /** Why it ended, unless it is `finished`. */
  code?: string;
  gateway: string;
  prompt_version: string;
  models: { source: string; provider: string; model: string }[];
  started: number;
  ended?: number;
  duration_ms?: number;
  /** The calls of tools that wait for the consent of the owner. */
  waiting?: string[];
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
  lanes: LaneSnapshot[];
  /** Of an agent's run, in the order in which they were asked for. */
  calls?: readonly RunCall[];
}

/** A call of a tool, with the names of the events of an agent's stream. */
export interface RunCall extends Omit<ToolCallSnapshot, 'args' | 'called' | 'duration_s'> {
  arguments?: unknown;
  /** When it was made, in epoch milliseconds; absent if it was not. */
  called?: number;
  /** How long it took, once it has returned. */
  ms?: number;
}

/** POST /agents/chat */
export interface ChatAnswer {
  message: string;
  message_id: string;
  conversation_id: string;
  agent: string;
  calls: readonly RunCall[];
  usage: RunUsage;
}

/** GET /agents/chat-history: the newest messages of all conversations of one person, the oldest of them first. */
export interface ChatHistory {
  history: {
    role: 'user' | 'assistant';
    content: string;
    conversation_id: string;
    message_id: string;
    time: number;
    state?: Unanswered;
  }[];
  count: number;
}

/** GET /api/agents */
export interface AgentsAnswer {
  /** The first one answers where nobody names another. */
  agents: {
    name: string;
    provider: string;
    model: string;
    tools: { name: string; description: string; approval: 'never' | 'always' | 'once_per_run' }[];
  }[];
  servers: {
    name: string;
    state: 'up' | 'down' | 'unknown';
    since: number;
    tools: readonly string[];
    drifted: readonly string[];
  }[];
  version: string;
}

/** GET /api/conversations: the newest first. */
export interface ConversationsAnswer {
  conversations: ConversationSummary[];
  /** With `q`: the search ended before it had looked at all. */
  stopped?: true;
}

export interface ConversationSummary {
  conversation_id: string;
  owner?: string;
  /** The beginning of the first question, or the name that somebody has given to it. */
  title: string;
  agent?: string;
  /** When its newest run began. */
  last: number;
  /** How many runs it has had, at most 1,000. */
  runs: number;
  /** Those that go on, the newest first. */
  running: readonly string[];
  /** With `q`: what was found, and the words around it. */
  excerpt?: string;
}

/** GET /api/conversations/:id */
export interface Conversation {
  conversation_id: string;
  /** There are earlier turns. */
  trimmed?: true;
  /** The oldest first. */
  turns: {
    role: 'user' | 'assistant';
    message: string;
    message_id: string;
    time: number;
    state?: Unanswered;
  }[];
}

/** How the run of a question has ended that got no answer. */
export type Unanswered = Exclude<RunState, 'running' | 'finished'>;

/** A line of GET /api/conversations/:id/export. The calls of a run stand between its question and its answer, or behind a question that got none. */
export type ExportLine =
  | ({ kind: 'turn' } & Conversation['turns'][number])
  | ({ kind: 'call'; message_id: string } & RunCall)
  /** What was said before is no longer kept. */
  | { kind: 'trimmed' }
  /** The last line: nothing is missing behind it. */
  | { kind: 'end'; turns: number; calls: number };

/** What somebody may do. Channels are names and patterns. */
export interface GrantsInfo {
  read: readonly string[];
  publish: readonly string[];
  run: boolean;
  metrics: boolean;
  admin: boolean;
}

/** GET /auth/profile, and the answer to POST /auth/login. Where nobody has to sign in, `kind` is `everyone`. */
export interface Profile {
  name: string;
  kind: 'user' | 'key' | 'jwt' | 'anonymous' | 'everyone';
  /** Begins the names of one's runs: `runs:<owner>/<message_id>`; empty where runs belong to nobody. */
  owner: string;
  role?: string;
  grants: GrantsInfo;
  /** Names the session, not its secret: a page keeps what it has received under this name, so that nobody else gets it. */
  session?: string;
  expires?: number;
  /** What the gateway asks of visitors. */
  auth: 'on' | 'off' | 'report';
  /** How one can sign in, for somebody who may read something without that. */
  ways?: SignInWays;
}

/** What GET /auth/profile answers to somebody who has not signed in, beside the problem: how he can, besides by name and password. */
export interface SignInWays {
  /** The name of the identity provider to which GET /auth/oidc leads. */
  oidc?: string;
  /** Nobody can sign in yet: no person has been added. */
  empty?: true;
  /** POST /auth/signup is open. */
  signup?: true;
}

/** POST /auth/token: a session for programs; the session token is shown this once. */
export interface TokenAnswer {
  token: string;
  expires: number;
}

/** GET /auth/sessions */
export interface SessionsAnswer {
  sessions: SessionInfo[];
}

export interface SessionInfo {
  id: string;
  /** It is the one that asks. */
  current: boolean;
  created: number;
  seen: number;
  expires: number;
  address: string;
  agent: string;
}

/** GET /api/users */
export interface UsersAnswer {
  users: UserInfo[];
  roles: RoleInfo[];
}

export interface UserInfo {
  name: string;
  role: string;
  disabled: boolean;
  created: number;
}

export interface RoleInfo {
  name: string;
  builtIn: boolean;
  grants: GrantsInfo;
}

/** GET /api/keys: one's own; an admin gets all. */
export interface KeysAnswer {
  keys: KeyInfo[];
}

export interface KeyInfo {
  id: string;
  name: string;
  user?: string;
  grants: GrantsInfo;
  source?: string;
  created: number;
  expires: number;
  lastUsed: number;
}

/** POST /api/keys: the only time that the key itself is shown. */
export interface NewKey extends KeyInfo {
  key: string;
}

/** What `attrs` of an entry on `events:alerts` hold. */
export interface AlertFields {
  /** Which alert it is: the name of the rule, and the group behind a slash. The same each time that it fires. */
  alert: string;
  rule: string;
  /** What the rule tells apart, such as `{ source: 'gpu-7' }`; absent where it tells nothing apart. */
  group?: Record<string, string>;
  /** What was measured, and what it is compared with; their unit follows from the rule. */
  value?: number;
  bound?: number;
  /** When it began to fire. */
  since: number;
  /** The entry that made it fire, if it was one. */
  cause_channel?: string;
  cause_id?: string;
}

/** An alert that fires, with the sentence and the level of its entry. */
export interface FiringAlert extends AlertFields {
  text: string;
  level: 'error' | 'warn';
}

/** GET /api/alerts */
export interface AlertsAnswer {
  /** Whether this gateway has a file of rules; without one it knows of no alerts. */
  rules: boolean;
  alerts: FiringAlert[];
}

/** POST /api/alerts/test */
export interface AlertTestAnswer {
  /** How each destination has answered; `problem` is absent where it took the message. */
  destinations: { name: string; delivered: boolean; problem?: string }[];
}

/** The answer of `GET /api/prices`: what the operator has said that models cost. */
export interface Prices {
  /** Three letters, like USD. */
  currency: string;
  /** By the million tokens. A `*` at the end of `model` stands for any end; the longest name that fits counts. */
  models: readonly { model: string; input: number; output: number }[];
}
