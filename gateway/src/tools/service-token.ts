// How the gateway shows a server who it is. A signed token is good for one server, one call and one minute, and says in whose name the call
// is made: nobody can use it elsewhere, and no user's own token ever leaves the gateway.

import { SignJWT } from 'jose';
import { idempotencyKey } from './idempotency.ts';
import type { CallContext } from './toolbox.ts';

/** Who signs. */
const ISSUER = 'llm-streamer';
const LIFETIME = '60s';
/** HMAC with a shorter secret can be guessed from one token. */
export const TOKEN_SECRET_BYTES = 32;

export interface Credential {
  kind: 'bearer' | 'jwt';
  secret: string;
}

/** The header `Authorization` for a call. */
export async function authorizationFor(
  server: string,
  { kind, secret }: Credential,
  context: CallContext,
): Promise<string> {
  if (kind === 'bearer') return `Bearer ${secret}`;
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(server)
    .setSubject(context.principal)
    .setJti(idempotencyKey(context))
    .setIssuedAt()
    .setExpirationTime(LIFETIME)
    .sign(new TextEncoder().encode(secret));
  return `Bearer ${token}`;
}
