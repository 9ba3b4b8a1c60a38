// /api/keys: people make and revoke their own keys for programs, admins those of all. No key allows more than whoever has made it.

import type { KeyInfo, KeysAnswer, NewKey } from '@llm-streamer/shared/api-types.ts';
import { channelSets, isCovered, stepBudget } from '@llm-streamer/shared/channel-sets.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AUDIT_EVENTS } from '../../auth/audit.ts';
import {
  isSourcePattern,
  MAX_KEY_EXPIRES_MS,
  newApiKey,
  SOURCE_RULE,
} from '../../auth/credentials/api-keys.ts';
import { type Grants, grantsFrom } from '../../auth/principal.ts';
import type { ApiKey } from '../../auth/store/auth-store.ts';
import { HttpError } from '../errors.ts';
import { jsonScope, parseBody } from '../json-body.ts';
import { GRANTS_BODY, grantFields } from './grants-body.ts';
import { type AuthServices, actorOf, nameField, personOf } from './services.ts';

const EXPIRES_RULE = 'must be a time in the next ten years, in milliseconds since 1970';

const newKey = z.strictObject({
  name: nameField,
  ...grantFields,
  source: z.string(SOURCE_RULE).refine(isSourcePattern, SOURCE_RULE).optional(),
  expires: z
    .int(EXPIRES_RULE)
    .refine((time) => time > Date.now() && time < Date.now() + MAX_KEY_EXPIRES_MS, EXPIRES_RULE)
    .optional(),
  service: z.boolean('must be true or false').optional(),
});

export function keyRoutes(app: FastifyInstance, { store, audit, throttle }: AuthServices): void {
  const config = { needs: 'signed-in' } as const;

  app.get('/api/keys', { config }, async ({ principal }): Promise<KeysAnswer> => {
    const keys = await store.keys();
    const visible = principal.grants.admin ? keys : keys.filter(({ user }) => isOwn(principal, user));
    return { keys: visible.map(keyInfo) };
  });

  jsonScope(app, (scope) => {
    scope.post('/api/keys', { bodyLimit: GRANTS_BODY, config }, async (request, reply): Promise<NewKey> => {
      const { name, source, expires, service = false, ...fields } = parseBody(newKey, request.body);
      const { user } = personOf(request);
      // An admin who makes keys for fifty machines is not held up; whoever has his rights can do worse.
      if (!request.principal.grants.admin) await throttle.countWrite(request.principal);
      const grants = grantsFrom(fields);
      refuseWider(request, grants);
      if (service && !request.principal.grants.admin)
        throw new HttpError('forbidden', 'only an admin makes keys that belong to nobody', {
          field: 'service',
        });
      if (!service && (await store.user(user)) === undefined)
        throw new HttpError(
          'forbidden',
          'your name is kept elsewhere; an admin can make a key for a service',
        );
      const { key, record } = newApiKey({
        name,
        ...(!service && { user }),
        grants,
        source,
        expires,
      });
      if (!(await store.addKey(record)))
        throw new HttpError('too_many_keys', 'there may be no more keys; revoke one first');
      audit.event(AUDIT_EVENTS.keyAdded, { ...actorOf(request), to: `key:${record.id}`, name, service });
      reply.code(201);
      return { ...keyInfo(record), key };
    });
  });

  app.delete<{ Params: { id: string } }>('/api/keys/:id', { config }, async (request, reply) => {
    const { id } = request.params;
    const { principal } = request;
    const found = (await store.keys()).find((key) => key.id === id);
    const mayRevoke = found && (principal.grants.admin || isOwn(principal, found.user));
    if (!mayRevoke || !(await store.revokeKey(id))) throw new HttpError('not_found', 'there is no such key');
    audit.event(AUDIT_EVENTS.keyRevoked, { ...actorOf(request), to: `key:${id}` });
    return reply.code(204).send();
  });
}

/** A key manages no keys, not even those of its person. */
function isOwn({ id }: FastifyRequest['principal'], user: string | undefined): boolean {
  return user !== undefined && id === `user:${user}`;
}

/** @throws HttpError `forbidden`, which names the field; TooManyPatterns where comparing takes too long */
function refuseWider({ access: { lasting } }: FastifyRequest, wanted: Grants): void {
  const spend = stepBudget();
  for (const field of ['read', 'publish'] as const) {
    const own = channelSets(lasting[field], spend);
    const wider = channelSets(wanted[field], spend).find((one) => !isCovered(one, own, spend));
    if (wider !== undefined)
      throw new HttpError('forbidden', `${field}: a key may not do what you may not`, { field });
  }
  for (const field of ['run', 'metrics', 'admin'] as const)
    if (wanted[field] && !lasting[field])
      throw new HttpError('forbidden', `${field}: a key may not do what you may not`, { field });
}

function keyInfo({ id, name, user, grants, source, created, expires, lastUsed }: ApiKey): KeyInfo {
  return {
    id,
    name,
    ...(user !== undefined && { user }),
    grants,
    ...(source !== undefined && { source }),
    created,
    expires,
    lastUsed,
  };
}
