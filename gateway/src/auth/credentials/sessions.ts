// Sessions of people who have signed in: how one begins, and who a token is. The store keeps the token's digest alone. A session is
// over after thirty days, or unused for twelve hours.

import { hash } from 'node:crypto';
import type { Principal } from '../principal.ts';
import type { RefusalLog } from '../refusal-log.ts';
import { renewable } from '../renewal.ts';
import { grantsOfRoles, rolesIn } from '../rights/roles.ts';
import { type AuthStore, NOTE_MS, SESSION_MAX_MS, type Session, sessionId } from '../store/auth-store.ts';
import { randomText } from './base62.ts';
import type { CredentialCheck } from './credential-check.ts';
import { personPrincipal, principalOfUser } from './person.ts';

/** Begins the token of each session. */
export const SESSION_PREFIX = 'lst_';
const TOKEN = new RegExp(`^${SESSION_PREFIX}[A-Za-z0-9]{43}$`);
const MAX_AGENT = 200;

/** Who begins a session, and from where. */
export type SessionStart = Pick<Session, 'user' | 'external' | 'address' | 'agent'>;

export class Sessions implements CredentialCheck {
  readonly #store: AuthStore;
  readonly #now: () => number;
  readonly #refusals: Pick<RefusalLog, 'refuse'> | undefined;

  constructor(store: AuthStore, now: () => number = Date.now, refusals?: Pick<RefusalLog, 'refuse'>) {
    this.#store = store;
    this.#now = now;
    this.#refusals = refusals;
  }

  /** The token is nowhere but in the answer. */
  async begin({ agent, ...start }: SessionStart): Promise<{ token: string; session: Session }> {
    const token = `${SESSION_PREFIX}${randomText(43)}`;
    const now = this.#now();
    const session: Session = {
      ...start,
      agent: agent.slice(0, MAX_AGENT),
      digest: digestOf(token),
      created: now,
      seen: now,
      expires: Math.min(now + SESSION_MAX_MS, start.external?.until ?? Number.POSITIVE_INFINITY),
    };
    await this.#store.addSession(session);
    return { token, session };
  }

  /** Resolves with the session of this token, which has ended; undefined if there was none. */
  async end(token: string): Promise<Session | undefined> {
    const session = await this.#store.sessionByDigest(digestOf(token), this.#now());
    if (session === undefined) return undefined;
    return (await this.#store.endSession(session.user, sessionId(session))) ? session : undefined;
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    if (!isSessionToken(credential)) return this.#refusals?.refuse('it is malformed');
    return this.#ofDigest(digestOf(credential));
  }

  async #ofDigest(digest: string): Promise<Principal | undefined> {
    const now = this.#now();
    const session = await this.#store.sessionByDigest(digest, now);
    if (session === undefined) return this.#refusals?.refuse('it is unknown or ended');
    const person = await this.#person(session);
    if (person === undefined) return this.#refusals?.refuse('its person is gone, disabled or without a role');
    // Only a note: that it cannot be written now refuses nobody.
    if (now - session.seen >= NOTE_MS) this.#store.sessionUsed(session.digest, now).catch(() => undefined);
    const principal = { ...person, expires: session.expires, session: sessionId(session) };
    return renewable(principal, () => this.#ofDigest(digest));
  }

  async #person({ user, external }: Session): Promise<Principal | undefined> {
    if (external === undefined) return principalOfUser(this.#store, user);
    const { name, owner, roles } = external;
    const grants = await grantsOfRoles(roles, rolesIn(this.#store));
    return grants && personPrincipal(name, owner, grants);
  }
}

/** Whether it looks like the token of a session. */
export function isSessionToken(text: string): boolean {
  return TOKEN.test(text);
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}
