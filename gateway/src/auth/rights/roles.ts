// What the roles allow: the three that are built in, and those that an admin has made. Grants belong to roles and not to people, so
// that people of one role see the same and share what the gateway prepares for them.

import { AUDIT_PREFIX } from '@llm-streamer/shared/channels.ts';
import { ALL_GRANTS, type Grants, ownPatterns } from '../principal.ts';
import type { AuthStore, Role } from '../store/auth-store.ts';
import { ADMIN_ROLE } from '../store/last-admin.ts';

const VIEWER: Grants = { read: ['*'], publish: [], run: false, metrics: true, admin: false };
const MEMBER: Grants = { ...VIEWER, publish: ['*'], run: true };

const BUILT_IN_ROLES: readonly Role[] = [
  { name: 'viewer', grants: VIEWER },
  { name: 'member', grants: MEMBER },
  { name: ADMIN_ROLE, grants: ALL_GRANTS },
];

/** With those that are built in. @throws BrokerUnavailable */
export async function allRoles(store: Pick<AuthStore, 'roles'>): Promise<Role[]> {
  return [...BUILT_IN_ROLES, ...(await store.roles())];
}

/** Patterns in one list of a role or key. Each is compared with each one of a request. */
export const MAX_GRANTED_PATTERNS = 50;

export function isBuiltIn(name: string): boolean {
  return BUILT_IN_ROLES.some((role) => role.name === name);
}

/** The grants of all roles, also of those that are built in, by name. @throws BrokerUnavailable if they cannot be read now. */
export type RoleGrants = () => Promise<ReadonlyMap<string, Grants>>;

export function rolesIn(store: Pick<AuthStore, 'roles'>): RoleGrants {
  return async () => new Map((await allRoles(store)).map(({ name, grants }) => [name, grants]));
}

/** The grants of those of `names` that are roles; undefined if none is. */
export async function grantsOfRoles(
  names: readonly string[],
  roles: RoleGrants,
  accept: (grants: Grants) => boolean = () => true,
): Promise<Grants | undefined> {
  if (names.length === 0) return undefined;
  const all = await roles();
  const found = [...new Set(names)].flatMap((name) => all.get(name) ?? []).filter(accept);
  return found.length === 0 ? undefined : joinGrants(found);
}

/** Undefined if there is no such role. Who has one that is built in need not wait for the store. @throws BrokerUnavailable */
export async function grantsOfRole(
  store: Pick<AuthStore, 'roles'>,
  name: string,
): Promise<Grants | undefined> {
  const builtIn = BUILT_IN_ROLES.find((role) => role.name === name);
  return builtIn?.grants ?? grantsOfRoles([name], rolesIn(store));
}

export function joinGrants(all: readonly Grants[]): Grants {
  const distinct = (which: 'read' | 'publish') => [...new Set(all.flatMap((grants) => grants[which]))];
  return {
    read: distinct('read'),
    publish: distinct('publish'),
    run: all.some(({ run }) => run),
    metrics: all.some(({ metrics }) => metrics),
    admin: all.some(({ admin }) => admin),
  };
}

/** Whether these grants are those of an admin, who alone may read who was refused, and why. */
export function areAdmins({ admin, read }: Grants): boolean {
  return admin || read.some((pattern) => pattern.startsWith(AUDIT_PREFIX));
}

/** With what an owner may read because it is his. */
export function withOwn(grants: Grants, owner: string): Grants {
  return { ...grants, read: [...new Set([...grants.read, ...ownPatterns(owner)])] };
}
