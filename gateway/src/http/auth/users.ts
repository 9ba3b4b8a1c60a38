// /api/users and /api/roles: an admin manages people, and what their roles allow.

import type { RoleInfo, UserInfo, UsersAnswer } from '@llm-streamer/shared/api-types.ts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AUDIT_EVENTS } from '../../auth/audit.ts';
import { isUserName, USER_NAME_RULE } from '../../auth/names.ts';
import { grantsFrom } from '../../auth/principal.ts';
import { allRoles, grantsOfRole, isBuiltIn } from '../../auth/rights/roles.ts';
import type { Role, User } from '../../auth/store/auth-store.ts';
import { HttpError } from '../errors.ts';
import { jsonScope, parseBody } from '../json-body.ts';
import { GRANTS_BODY, grantFields } from './grants-body.ts';
import { type AuthServices, actorOf, nameField, passwordField, SMALL_BODY } from './services.ts';

const YES_NO = 'must be true or false';

const newUser = z.strictObject({
  name: z.string(USER_NAME_RULE).refine(isUserName, USER_NAME_RULE),
  password: passwordField,
  role: nameField,
});
const userChange = z.strictObject({
  password: passwordField.optional(),
  role: nameField.optional(),
  disabled: z.boolean(YES_NO).optional(),
});
const newRole = z.strictObject({ name: nameField, ...grantFields });
const roleChange = z.strictObject(grantFields);

type ByName = { Params: { name: string } };

export function userRoutes(app: FastifyInstance, { store, passwords, audit }: AuthServices): void {
  const config = { needs: 'admin' } as const;
  const options = { bodyLimit: SMALL_BODY, config };

  app.get('/api/users', { config }, async (): Promise<UsersAnswer> => {
    const [users, roles] = await Promise.all([store.users(), allRoles(store)]);
    return { users: users.map(userInfo), roles: roles.map(roleInfo) };
  });
  app.get('/api/roles', { config }, async (): Promise<{ roles: RoleInfo[] }> => {
    return { roles: (await allRoles(store)).map(roleInfo) };
  });

  jsonScope(app, (scope) => {
    scope.post('/api/users', options, async (request, reply): Promise<UserInfo> => {
      const { name, password, role } = parseBody(newUser, request.body);
      await checkRole(role);
      const passwordHash = await passwords.hash(password);
      await request.confirmRights();
      const user: User = { name, passwordHash, role, disabled: false, created: Date.now() };
      if (!(await store.addUser(user)))
        throw new HttpError('name_taken', 'there is a person of this name', { field: 'name' });
      audit.event(AUDIT_EVENTS.userAdded, { ...actorOf(request), to: `user:${name}`, role });
      reply.code(201);
      return userInfo(user);
    });

    scope.patch<ByName>('/api/users/:name', options, async (request): Promise<UserInfo> => {
      const { name } = request.params;
      const { password, role, disabled } = parseBody(userChange, request.body);
      if (role !== undefined || disabled !== undefined) refuseOneself(request.principal.id, name);
      if (role !== undefined) await checkRole(role);
      const change = {
        ...(password !== undefined && { passwordHash: await passwords.hash(password) }),
        ...(role !== undefined && { role }),
        ...(disabled !== undefined && { disabled }),
      };
      await request.confirmRights();
      if (!(await store.changeUser(name, change))) throw noPerson();
      const facts = { role, disabled, ...(password !== undefined && { password: 'changed' }) };
      audit.event(AUDIT_EVENTS.userChanged, { ...actorOf(request), to: `user:${name}`, ...facts });
      const user = await store.user(name);
      if (user === undefined) throw noPerson();
      return userInfo(user);
    });

    const withGrants = { bodyLimit: GRANTS_BODY, config };
    scope.post('/api/roles', withGrants, async (request, reply): Promise<RoleInfo> => {
      const { name, ...grants } = parseBody(newRole, request.body);
      if ((await grantsOfRole(store, name)) !== undefined)
        throw new HttpError('name_taken', 'there is a role of this name', { field: 'name' });
      const role: Role = { name, grants: grantsFrom(grants) };
      await store.setRole(role);
      audit.event(AUDIT_EVENTS.roleSet, {
        ...actorOf(request),
        to: `role:${name}`,
        admin: role.grants.admin,
      });
      reply.code(201);
      return roleInfo(role);
    });

    scope.patch<ByName>('/api/roles/:name', withGrants, async (request): Promise<RoleInfo> => {
      const { name } = request.params;
      const change = parseBody(roleChange, request.body);
      refuseBuiltIn(name);
      const before = (await store.roles()).find((role) => role.name === name);
      if (before === undefined) throw noRole();
      const role: Role = { name, grants: grantsFrom({ ...before.grants, ...change }) };
      await store.setRole(role);
      audit.event(AUDIT_EVENTS.roleSet, {
        ...actorOf(request),
        to: `role:${name}`,
        admin: role.grants.admin,
      });
      return roleInfo(role);
    });
  });

  app.delete<ByName>('/api/users/:name', { config }, async (request, reply) => {
    const { name } = request.params;
    refuseOneself(request.principal.id, name);
    if (!(await store.deleteUser(name))) throw noPerson();
    audit.event(AUDIT_EVENTS.userDeleted, { ...actorOf(request), to: `user:${name}` });
    return reply.code(204).send();
  });

  app.delete<ByName>('/api/roles/:name', { config }, async (request, reply) => {
    const { name } = request.params;
    refuseBuiltIn(name);
    if (!(await store.deleteRole(name))) {
      if ((await grantsOfRole(store, name)) === undefined) throw noRole();
      throw new HttpError('role_in_use', 'somebody has this role');
    }
    audit.event(AUDIT_EVENTS.roleDeleted, { ...actorOf(request), to: `role:${name}` });
    return reply.code(204).send();
  });

  async function checkRole(name: string): Promise<void> {
    if ((await grantsOfRole(store, name)) === undefined)
      throw new HttpError('invalid_body', 'role: there is no such role', { field: 'role' });
  }
}

/** So that there is always an admin left who can take it back. */
function refuseOneself(id: string, name: string): void {
  if (id === `user:${name}`) throw new HttpError('forbidden', 'another admin has to do this to you');
}

function refuseBuiltIn(name: string): void {
  if (isBuiltIn(name)) throw new HttpError('forbidden', 'built-in roles cannot be changed');
}

function userInfo({ name, role, disabled, created }: User): UserInfo {
  return { name, role, disabled, created };
}

function roleInfo({ name, grants }: Role): RoleInfo {
  return { name, builtIn: isBuiltIn(name), grants };
}

function noPerson(): HttpError {
  return new HttpError('not_found', 'there is nobody of this name');
}

function noRole(): HttpError {
  return new HttpError('not_found', 'there is no role of this name');
}
