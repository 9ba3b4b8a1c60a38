// A browser sends a session's cookie with every request, whichever page has made it; and so does a proxy with the name of whoever has
// signed in there. So a change that rests on either must come from the gateway's own page, and must prove it: a request that does not
// say where it comes from is refused, too. Whoever sends his credential in `Authorization` needs no proof, because no other page can
// make a browser do that.

import type { FastifyInstance } from 'fastify';
import type { SessionCookie } from '../../auth/credentials/session-cookie.ts';
import { HttpError } from '../errors.ts';
import { isOwnOrigin, SAFE_METHODS } from './origins.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer sets the cookie of a session: another page must not sign a browser in as somebody of its choice. */
    setsSession?: true;
  }
}

/** @param proxyHeader the name of the header in which a proxy names people; undefined if none does. */
export function csrf(
  app: FastifyInstance,
  cookie: SessionCookie,
  publicUrl: string | undefined,
  proxyHeader?: string,
): void {
  const named = proxyHeader?.toLowerCase();
  app.addHook('onRequest', async (request) => {
    if (SAFE_METHODS.includes(request.method)) return;
    const { origin, authorization, 'sec-fetch-site': site } = request.headers;
    // An empty header names nobody: so a proxy that asks everybody passes on those who have not signed in.
    const isNamed = named !== undefined && !!request.headers[named];
    const isAmbient = authorization === undefined && (isNamed || cookie.read(request) !== undefined);
    // A program that signs in says nothing of pages, and has no cookie yet.
    const isPage = site !== undefined || origin !== undefined;
    if (!isAmbient && !(request.routeOptions.config.setsSession && isPage)) return;
    if (origin !== undefined && !isOwnOrigin(request, origin, publicUrl)) throw refused();
    if (site === 'same-origin' || (site === undefined && origin !== undefined)) return;
    throw refused();
  });
}

function refused(): HttpError {
  return new HttpError(
    'csrf',
    "with a cookie or a proxy's sign-in, send this from the gateway's own page only",
  );
}
