// /auth/login, /auth/logout, /auth/signup and /auth/profile: how people come in and go out, and who somebody is.

import type { Profile } from '@llm-streamer/shared/api-types.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { signInFirst } from '../../auth/access.ts';
import { AUDIT_EVENTS } from '../../auth/audit.ts';
import { bearerIn } from '../../auth/authenticator.ts';
import { isSessionToken } from '../../auth/credentials/sessions.ts';
import { isUserName, USER_NAME_RULE } from '../../auth/names.ts';
import type { Principal } from '../../auth/principal.ts';
import { areAdmins, grantsOfRole } from '../../auth/rights/roles.ts';
import { LoginFailed, type SignedIn } from '../../auth/sign-in/sign-in.ts';
import { SignInOffer } from '../../auth/sign-in/sign-in-offer.ts';
import { HttpError } from '../errors.ts';
import { jsonScope, parseBody } from '../json-body.ts';
import { type AuthServices, passwordField, profileOf, SMALL_BODY, visitorOf } from './services.ts';

/** A name that nobody can have is answered as one that nobody has. */
const MAX_TEXT = 256;
const TEXT_RULE = `must be a text of at most ${MAX_TEXT} characters`;
const loginBody = z.strictObject({
  name: z.string(TEXT_RULE).max(MAX_TEXT, TEXT_RULE),
  password: z.string(TEXT_RULE).max(MAX_TEXT, TEXT_RULE),
});
const signUpBody = z.strictObject({
  name: z.string(USER_NAME_RULE).refine(isUserName, USER_NAME_RULE),
  password: passwordField,
});

export function signInRoutes(app: FastifyInstance, services: AuthServices): void {
  const { mode, store, sessions, signIn, passwords, throttle, cookie, audit, signUpRole } = services;
  const offer = new SignInOffer(services);
  const options = { bodyLimit: SMALL_BODY, config: { needs: 'nothing', setsSession: true } } as const;

  jsonScope(app, (scope) => {
    scope.post('/auth/login', options, async (request, reply): Promise<Profile> => {
      const { name, password } = parseBody(loginBody, request.body);
      try {
        const signedIn = await signIn.login(name, password, visitorOf(request));
        audit.event(AUDIT_EVENTS.loginOk, { by: signedIn.principal.id, address: request.ip });
        return await welcome(request, reply, signedIn);
      } catch (error) {
        if (error instanceof LoginFailed)
          audit.event(AUDIT_EVENTS.loginFailed, {
            ...(error.person !== undefined && { to: `user:${error.person}` }),
            address: request.ip,
          });
        throw error;
      }
    });

    scope.post('/auth/signup', options, async (request, reply): Promise<Profile> => {
      if (signUpRole === undefined) throw new HttpError('not_found', 'nobody can sign up here');
      const { name, password } = parseBody(signUpBody, request.body);
      await throttle.countAddress(request.ip);
      // An admin may have changed the role since the start.
      const grants = await grantsOfRole(store, signUpRole);
      if (grants === undefined || areAdmins(grants))
        throw new HttpError('forbidden', 'nobody can sign up now');
      const passwordHash = await passwords.hash(password, request.ip);
      const user = { name, passwordHash, role: signUpRole, disabled: false, created: Date.now() };
      if (!(await store.addUser(user)))
        throw new HttpError('name_taken', 'choose another name', { field: 'name' });
      audit.event(AUDIT_EVENTS.userAdded, {
        by: `user:${name}`,
        to: `user:${name}`,
        role: signUpRole,
        address: request.ip,
      });
      return await welcome(request, reply, await signIn.begin(name, passwordHash, visitorOf(request)));
    });
  });

  app.post(
    '/auth/logout',
    { bodyLimit: SMALL_BODY, config: { needs: 'nothing' } },
    async (request, reply) => {
      await endSession(bearerSession(request) ?? cookie.read(request), request);
      cookie.clear(request, reply);
      return reply.code(204).send();
    },
  );

  // Whoever may read something without signing in, or everything because it is only reported what AUTH=on would refuse, learns
  // beside who he is how he can sign in. To nobody the page may show nothing but that.
  const profile = {
    config: { needs: 'anyone' },
    errorHandler: async (error: FastifyError) => {
      if (error.code !== 'unauthorized') throw error;
      throw new HttpError('unauthorized', error.message, { more: await offer.now() });
    },
  } as const;
  app.get('/auth/profile', profile, async ({ principal }): Promise<Profile> => {
    const { kind, grants } = principal;
    if (kind === 'anonymous' && grants.read.length === 0) throw signInFirst();
    const isNobody = kind === 'anonymous' || (kind === 'everyone' && mode !== 'off');
    const found = profileOf(principal, mode, await roleOf(principal));
    return isNobody ? { ...found, ways: await offer.now() } : found;
  });

  /** A cookie from before the login is worth nothing any more: somebody may have planted it. */
  async function welcome(
    request: FastifyRequest,
    reply: FastifyReply,
    { token, session, principal }: SignedIn,
  ): Promise<Profile> {
    await endSession(cookie.read(request), request);
    cookie.set(request, reply, token, session.expires);
    reply.header('cache-control', 'no-store');
    return profileOf(principal, mode, await roleOf(principal));
  }

  async function endSession(token: string | undefined, request: FastifyRequest): Promise<void> {
    if (token === undefined) return;
    const session = await sessions.end(token);
    if (session === undefined) return;
    audit.event(AUDIT_EVENTS.logout, { by: `user:${session.user}`, address: request.ip });
  }

  /** Undefined for somebody whose rights come from elsewhere. That it cannot be known now is no reason to fail. */
  async function roleOf({ kind, owner, session }: Principal): Promise<string | undefined> {
    if (kind !== 'user' || session === undefined) return undefined;
    try {
      return (await store.user(owner))?.role;
    } catch (error) {
      if (error instanceof BrokerUnavailable) return undefined;
      throw error;
    }
  }
}

/** The session token of a program, which has no cookie. */
function bearerSession({ headers }: FastifyRequest): string | undefined {
  const token = bearerIn(headers.authorization ?? '');
  return token !== undefined && isSessionToken(token) ? token : undefined;
}
