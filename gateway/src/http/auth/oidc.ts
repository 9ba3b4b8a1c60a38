// GET /auth/oidc and GET /auth/oidc/callback: a browser goes to the identity provider and comes back with a session. Whatever happens,
// it ends at the page of this gateway and nowhere else; if nobody has signed in, the page is told the code of an error.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { AUDIT_EVENTS, type Audit } from '../../auth/audit.ts';
import type { SessionCookie } from '../../auth/credentials/session-cookie.ts';
import { AttemptCookie } from '../../auth/sign-in/attempt-cookie.ts';
import { ATTEMPT_MS, type OidcSignIn } from '../../auth/sign-in/oidc.ts';
import type { Throttle } from '../../auth/throttle.ts';
import { type ErrorCode, HttpError, isErrorCode } from '../errors.ts';
import { visitorOf } from './services.ts';

export interface OidcRoutes {
  /** Undefined where no identity provider is configured. */
  oidc: OidcSignIn | undefined;
  cookie: SessionCookie;
  publicUrl: string | undefined;
  throttle: Pick<Throttle, 'countAddress' | 'uncountAddress'>;
  audit: Pick<Audit, 'event'>;
}

/** The page reads the code of an error in the fragment, which no server and no log gets: `#sign-in=login_failed`. */
const FRAGMENT = 'sign-in';
const HEADERS = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

export function oidcRoutes(app: FastifyInstance, services: OidcRoutes): void {
  const { oidc, cookie, publicUrl, throttle, audit } = services;
  const attempts = new AttemptCookie(publicUrl);
  const options = (parameters: readonly string[] | 'any') => ({
    config: { needs: 'nothing' as const, parameters },
    exposeHeadRoute: false,
  });

  app.get<{ Querystring: Record<string, unknown> }>(
    '/auth/oidc',
    options(['return']),
    async (request, reply) => {
      const provider = required(oidc);
      const pageQuery = pageQueryIn(request.query.return);
      try {
        const { location, attempt } = await provider.begin(pageQuery);
        attempts.set(reply, attempt, ATTEMPT_MS / 1_000);
        return reply.headers(HEADERS).redirect(location, 303);
      } catch (error) {
        return toPage(reply, pageQuery, codeOf(error));
      }
    },
  );

  // Providers add what they like: iss, session_state, scope, …
  app.get('/auth/oidc/callback', options('any'), async (request, reply) => {
    const provider = required(oidc);
    const attempt = attempts.read(request);
    attempts.set(reply, '', 0); // whatever comes of it, an attempt ends here
    const [, query = ''] = /\?(.*)$/s.exec(request.url) ?? [];
    try {
      // Any page can make its visitors ask for this URL, in an <img>. That is no attempt of theirs. Any other is counted first, so
      // that no flood of attempts becomes one of questions to the provider, or of events.
      if (attempt !== undefined) await throttle.countAddress(request.ip);
      const { pageQuery, session } = await provider.finish(query, attempt, visitorOf(request));
      if (session === undefined) {
        if (attempt !== undefined)
          audit.event(AUDIT_EVENTS.loginFailed, { address: request.ip, way: 'oidc' });
        return toPage(reply, pageQuery, 'login_failed');
      }
      // Whoever comes in does so also while the count cannot be changed, which goes down by itself.
      await throttle.uncountAddress(request.ip).catch(() => undefined);
      cookie.set(request, reply, session.token, session.expires);
      audit.event(AUDIT_EVENTS.loginOk, { by: `user:${session.user}`, address: request.ip, way: 'oidc' });
      return toPage(reply, pageQuery);
    } catch (error) {
      return toPage(reply, '', codeOf(error));
    }
  });

  /** The path is always that of the page, so that no link can make this lead anywhere else. */
  function toPage(reply: FastifyReply, pageQuery: string, code?: ErrorCode): FastifyReply {
    const search = pageQuery === '' ? '' : `?${pageQuery}`;
    const fragment = code === undefined ? '' : `#${new URLSearchParams({ [FRAGMENT]: code })}`;
    return reply.headers(HEADERS).redirect(`${app.prefix}/${search}${fragment}`, 303);
  }
}

function required(signIn: OidcSignIn | undefined): OidcSignIn {
  if (signIn === undefined) throw new HttpError('not_found', 'no identity provider is configured here');
  return signIn;
}

/** The query of the page that `return` names, written anew: nothing else of it is used. */
function pageQueryIn(address: unknown): string {
  if (typeof address !== 'string') return '';
  const [, search = ''] = /\?([^#]*)/.exec(address) ?? [];
  return `${new URLSearchParams(search)}`;
}

/** @throws what has no code for clients. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof CodedError && isErrorCode(error.code)) return error.code;
  throw error;
}
