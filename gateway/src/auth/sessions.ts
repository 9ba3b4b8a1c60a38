// Sessions of people who have signed in: how one begins, and who a token is. The store keeps the token's digest alone. A session is
// over after thirty days, or unused for twelve hours.

import { hash } from 'node:crypto';
import { randomText } from './base62.ts';
import type { CredentialCheck } from './credential-check.ts';
import { principalOfUser } from './people.ts';
import type { Principal } from './principal.ts';
import { withOwn } from './roles.ts';
import { type AuthStore, NOTE_MS, SESSION_MAX_MS, type Session, sessionId } from './store/auth-store.ts';

export const TOKEN_PREFIX = 'lst_';
const TOKEN = /^lst_[A-Za-z0-9]{43}$/;
const MAX_AGENT = 200;

/** Who begins a session, and from where. */
export type SessionStart = Pick<Session, 'user' | 'external' | 'address' | 'agent'>;

export class Sessions implements CredentialCheck {
  readonly #store: AuthStore;
  readonly #now: () => number;

  constructor(store: AuthStore, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /** The token is nowhere but in the answer. */
  async begin({ agent, ...start }: SessionStart): Promise<{ token: string; session: Session }> {
    const token = `${TOKEN_PREFIX}${randomText(43)}`;
    const now = this.#now();
    const session: Session = {
      ...start,
      agent: agent.slice(0, MAX_AGENT),
      digest: digestOf(token),
      created: now,
      seen: now,
      expires: now + SESSION_MAX_MS,
    };
    await this.#store.addSession(session);
    return { token, session };
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    if (!TOKEN.test(credential)) return undefined;
    const now = this.#now();
    const session = await this.#store.sessionByDigest(digestOf(credential), now);
    if (session === undefined) return undefined;
    const person = external(session) ?? (await principalOfUser(this.#store, session.user));
    if (person === undefined) return undefined;
    // Only a note: that it cannot be written now refuses nobody.
    if (now - session.seen >= NOTE_MS) this.#store.sessionUsed(session.digest, now).catch(() => undefined);
    return { ...person, expires: session.expires, session: sessionId(session) };
  }
}

/** A person whom an identity provider knows, with what he was granted when the session began. */
function external({ user, external }: Session): Principal | undefined {
  if (external === undefined) return undefined;
  const { name, owner, grants } = external;
  return {
    id: `user:${user}`,
    kind: 'user',
    name,
    owner,
    grants: withOwn(grants, owner),
    expires: Number.POSITIVE_INFINITY,
  };
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}
