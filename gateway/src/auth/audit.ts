// Writes to `audit:auth` who signed in and whose rights were changed, to `audit:failures` which sign-ins failed, and to `audit:refusals`
// what was refused, summed for each second. Only admins read these channels. No entry ever holds a token, a cookie, a header or a
// body. Whoever floods it uses up his own share of a second, and hides nothing that others do.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type Draft, draft, type Level } from '@llm-streamer/shared/entry.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { clientOf } from '../client-of.ts';
import { Shares } from './shares.ts';

const AUDIT_CHANNEL = 'audit:auth';
/** Channels of their own, so that no flood of what anybody can send trims away who signed in. */
const FAILURES_CHANNEL = 'audit:failures';
const REFUSALS_CHANNEL = 'audit:refusals';

/** The names of the events on `audit:auth`; `login.failed` is on `audit:failures`. */
export const AUDIT_EVENTS = {
  loginOk: 'login.ok',
  loginFailed: 'login.failed',
  logout: 'logout',
  tokenMade: 'token.made',
  sessionEnded: 'session.ended',
  passwordChanged: 'password.changed',
  userAdded: 'user.added',
  userChanged: 'user.changed',
  userDeleted: 'user.deleted',
  roleSet: 'role.set',
  roleDeleted: 'role.deleted',
  keyAdded: 'key.added',
  keyRevoked: 'key.revoked',
  rightsChanged: 'rights.changed',
} as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[keyof typeof AUDIT_EVENTS];

export interface AuditFields {
  /** Who did it: the id of a principal. Of a failed login, a name only if somebody has it: people type passwords into that field. */
  by?: string;
  /** To whom or what it was done, such as `user:alice`. */
  to?: string;
  address?: string;
  /** More facts, such as a role. Never a secret. */
  [fact: string]: string | number | boolean | undefined;
}

export interface AuditRefusal {
  /** The error code, or `narrowed`. */
  code: string;
  /** The method and the path of the route, such as `GET /api/runs/:id`. */
  route: string;
  /** The id of the principal; undefined for nobody, or for a credential that is not valid. */
  by?: string | undefined;
  /** What kind of credential was not valid. */
  credential?: string | undefined;
  address: string;
  /** `AUTH=report`: it was allowed. */
  allowed?: boolean;
}

const FLUSH_MS = 1_000;
/** Events of one principal, or of one client that is nobody yet, that are told of one second; of the others, the number. */
const MAX_EVENTS = 50;
/** Failed sign-ins of one client, and distinct refusals to it, that are told of one second. */
const MAX_FAILURES = 5;
const MAX_KINDS = 5;
/** Clients of whose failures, and of whose refusals, anything but the number is told of one second; and strangers of whose events. */
const MAX_CLIENTS = 50;
const MAX_TEXT = 200;
const MAX_BUFFERED_BYTES = 4_194_304;

export class Audit {
  readonly #publisher: Publisher;
  readonly #source: string;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  readonly #events = new Shares(MAX_EVENTS, MAX_CLIENTS);
  readonly #failures = new Shares(MAX_FAILURES, MAX_CLIENTS);
  readonly #kinds = new Shares(MAX_KINDS, MAX_CLIENTS);
  #refusals = new Map<string, AuditRefusal & { count: number }>();

  constructor(broker: Broker, gateway: string, logger: Logger) {
    this.#publisher = new Publisher(broker, {
      source: gateway,
      noticeChannel: AUDIT_CHANNEL,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
    });
    this.#source = gateway;
    this.#logger = logger;
    this.#timer = setInterval(() => this.flush(), FLUSH_MS);
  }

  event(event: AuditEvent, fields: AuditFields): void {
    const { by, address = '' } = fields;
    // Somebody who is known has a share of his own, whatever strangers do.
    const isTold =
      event === AUDIT_EVENTS.loginFailed
        ? this.#failures.take(clientOf(address))
        : this.#events.take(by ?? clientOf(address), by !== undefined);
    if (isTold) this.#publisher.enqueue(auditDraft(this.#source, event, fields));
  }

  refused(refusal: AuditRefusal): void {
    const { code, route, by, credential, allowed, address } = refusal;
    const client = clientOf(address);
    const kind = JSON.stringify([client, code, route, by, credential, allowed]);
    const known = this.#refusals.get(kind);
    if (known) known.count++;
    else if (this.#kinds.take(client)) this.#refusals.set(kind, { ...refusal, count: 1 });
  }

  /** Writes what was refused since the last call. */
  flush(): void {
    for (const [who, count] of this.#events.end())
      this.#write(AUDIT_CHANNEL, 'warn', `${count} more events of ${who} in this second`, { count, of: who });
    for (const [who, count] of this.#failures.end())
      this.#write(FAILURES_CHANNEL, 'warn', `${count} more failed sign-ins from ${who} in this second`, {
        count,
        address: who,
      });
    for (const { count, allowed = false, by, credential, ...rest } of this.#refusals.values()) {
      const { code, route, address } = rest;
      const who = by ?? (credential === undefined ? 'nobody' : `an invalid ${credential}`);
      const what = allowed ? 'AUTH=on would refuse' : 'refused';
      const attrs = { count, code, route, address, ...(by && { by }), ...(credential && { credential }) };
      this.#write(REFUSALS_CHANNEL, 'warn', `${what} ${route} to ${who}: ${code}, ${count} ×`, attrs);
      this.#logger.info(attrs, allowed ? 'AUTH=on would refuse a request' : 'a request was refused');
    }
    for (const [who, count] of this.#kinds.end())
      this.#write(REFUSALS_CHANNEL, 'warn', `${count} other refusals to ${who} in this second`, {
        count,
        address: who,
      });
    this.#refusals = new Map();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.flush();
    await this.#publisher.close(1_000);
  }

  #write(channel: string, level: Level, msg: string, attrs: Facts): void {
    this.#publisher.enqueue(entryOf(this.#source, channel, level, msg, attrs));
  }
}

type Facts = Record<string, string | number | boolean | undefined>;

/** An event on `audit:auth` or `audit:failures`, as gateways and the command line write it. */
export function auditDraft(source: string, event: AuditEvent, fields: AuditFields): Draft {
  const { by, to, address, ...facts } = fields;
  const failed = event === AUDIT_EVENTS.loginFailed;
  const msg = [event, by && `by ${by}`, to && `to ${to}`, address && `from ${address}`];
  const attrs = { ...(by && { by }), ...(to && { to }), ...(address && { address }), ...facts };
  const [channel, level] = failed
    ? ([FAILURES_CHANNEL, 'warn'] as const)
    : ([AUDIT_CHANNEL, 'info'] as const);
  return entryOf(source, channel, level, msg.filter(Boolean).join(' '), attrs, event);
}

function entryOf(
  source: string,
  channel: string,
  level: Level,
  msg: string,
  attrs: Facts,
  event?: string,
): Draft {
  const short = Object.entries(attrs).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, MAX_TEXT) : value,
  ]);
  return draft({
    time: Date.now(),
    channel,
    source,
    level,
    msg: msg.slice(0, 4 * MAX_TEXT),
    ...(event !== undefined && { event }),
    ...(short.length > 0 && { attrs: Object.fromEntries(short) }),
  });
}
