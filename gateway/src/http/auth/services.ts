// What the routes of people and keys need, and what they have in common: small bodies, and the one who asks.

import type { Profile } from '@llm-streamer/shared/api-types.ts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Audit, AuditFields } from '../../auth/audit.ts';
import type { SessionCookie } from '../../auth/credentials/session-cookie.ts';
import type { Sessions } from '../../auth/credentials/sessions.ts';
import { isName, NAME_RULE } from '../../auth/names.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Passwords } from '../../auth/sign-in/passwords.ts';
import { isPassword, PASSWORD_RULE } from '../../auth/sign-in/passwords.ts';
import type { SignIn, Visitor } from '../../auth/sign-in/sign-in.ts';
import type { AuthStore } from '../../auth/store/auth-store.ts';
import type { Throttle } from '../../auth/throttle.ts';
import { HttpError } from '../errors.ts';

export interface AuthServices {
  mode: Profile['auth'];
  store: AuthStore;
  signIn: SignIn;
  sessions: Sessions;
  passwords: Pick<Passwords, 'hash'>;
  throttle: Throttle;
  cookie: SessionCookie;
  audit: Pick<Audit, 'event'>;
  /** The role of those who sign up; undefined if nobody may. */
  signUpRole: string | undefined;
  /** The name of the identity provider; undefined if there is none. */
  oidcName: string | undefined;
}

/** Bytes of a body. */
export const SMALL_BODY = 4_096;

export const nameField = z.string(NAME_RULE).refine(isName, NAME_RULE);
export const passwordField = z.string(PASSWORD_RULE).refine(isPassword, PASSWORD_RULE);

export function visitorOf({ ip, headers }: FastifyRequest): Visitor {
  return { address: ip, agent: headers['user-agent'] ?? '' };
}

/** Who did it, and from where, for the audit. */
export function actorOf({ principal, ip }: FastifyRequest): AuditFields {
  return { by: principal.id, address: ip };
}

/** A person who has signed in, with the name of his session. @throws HttpError `forbidden` */
export function personOf({ principal }: FastifyRequest): { user: string; session: string } {
  const { kind, owner, session } = principal;
  if (kind === 'user' && session !== undefined) return { user: owner, session };
  throw new HttpError('forbidden', 'this is for people who have signed in, not for keys and JWTs');
}

export function profileOf(principal: Principal, auth: Profile['auth'], role: string | undefined): Profile {
  const { name, kind, owner, grants, session, expires } = principal;
  return {
    name,
    kind,
    owner,
    ...(role !== undefined && { role }),
    grants,
    ...(session !== undefined && { session }),
    ...(Number.isFinite(expires) && { expires }),
    auth,
  };
}
