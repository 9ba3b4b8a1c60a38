// /auth/token, /auth/password and /auth/sessions: what a person does with his own sessions.

import type { Profile, SessionsAnswer, TokenAnswer } from '@llm-streamer/shared/api-types.ts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AUDIT_EVENTS } from '../../auth/audit.ts';
import { sessionId } from '../../auth/store/auth-store.ts';
import { HttpError } from '../errors.ts';
import { jsonScope, parseBody } from '../json-body.ts';
import {
  type AuthServices,
  actorOf,
  passwordField,
  personOf,
  profileOf,
  SMALL_BODY,
  visitorOf,
} from './services.ts';

const passwordBody = z.strictObject({
  old: z.string('must be the present password').max(256, 'must be the present password'),
  password: passwordField,
});
const emptyBody = z.strictObject({});
const config = { needs: 'signed-in' } as const;

export function sessionRoutes(app: FastifyInstance, services: AuthServices): void {
  const { mode, store, signIn, sessions, cookie, audit, throttle } = services;

  jsonScope(app, (scope) => {
    scope.post(
      '/auth/token',
      { bodyLimit: SMALL_BODY, config },
      async (request, _reply): Promise<TokenAnswer> => {
        parseBody(emptyBody, request.body ?? {});
        const person = personOf(request);
        await throttle.countWrite(request.principal);
        const external = (await store.sessionOf(person.user, person.session))?.external;
        const { token, session } = await sessions.begin({
          user: person.user,
          ...(external !== undefined && { external }),
          ...visitorOf(request),
        });
        audit.event(AUDIT_EVENTS.tokenMade, { ...actorOf(request), to: `session:${sessionId(session)}` });
        return { token, expires: session.expires };
      },
    );

    const options = { bodyLimit: SMALL_BODY, config: { ...config, setsSession: true } } as const;
    scope.post('/auth/password', options, async (request, reply): Promise<Profile | TokenAnswer> => {
      const { old, password } = parseBody(passwordBody, request.body);
      const person = personOf(request);
      const { user } = person;
      await throttle.countWrite(request.principal);
      const { token, session, principal } = await signIn.changePassword(
        person,
        old,
        password,
        visitorOf(request),
      );
      const leave = () => signIn.leave(person);
      if (reply.raw.closed) leave();
      else reply.raw.once('close', leave);
      audit.event(AUDIT_EVENTS.passwordChanged, { ...actorOf(request), to: `user:${user}` });
      // Whoever came with a token gets a token: all others have ended.
      if (request.headers.authorization !== undefined) return { token, expires: session.expires };
      cookie.set(request, reply, token, session.expires);
      return profileOf(principal, mode, (await store.user(user))?.role);
    });
  });

  app.get('/auth/sessions', { config }, async (request): Promise<SessionsAnswer> => {
    const person = personOf(request);
    const list = await store.sessionsOf(person.user);
    return {
      sessions: list.map((session) => {
        const { created, seen, expires, address, agent } = session;
        const id = sessionId(session);
        return { id, current: id === person.session, created, seen, expires, address, agent };
      }),
    };
  });

  app.delete('/auth/sessions', { config }, async (request, reply) => {
    const { user, session } = personOf(request);
    const ended = await store.endSessions(user, session);
    audit.event(AUDIT_EVENTS.sessionEnded, { ...actorOf(request), to: `user:${user}`, ended });
    return reply.code(204).send();
  });

  app.delete<{ Params: { id: string } }>('/auth/sessions/:id', { config }, async (request, reply) => {
    const { id } = request.params;
    const { user, session } = personOf(request);
    if (!(await store.endSession(user, id))) throw new HttpError('not_found', 'you have no such session');
    audit.event(AUDIT_EVENTS.sessionEnded, { ...actorOf(request), to: `session:${id}` });
    if (id === session && request.headers.authorization === undefined) cookie.clear(request, reply);
    return reply.code(204).send();
  });
}
