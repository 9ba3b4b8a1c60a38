// What the roles allow: the three that are built in, and those that an admin has made. Grants belong to roles and not to people, so
// that people of one role see the same and share what the gateway prepares for them.

import {
  AUDIT_PREFIX,
  CONVERSATION_PREFIX,
  RUN_EVENTS_PREFIX,
  RUN_PREFIX,
} from '@llm-streamer/shared/channels.ts';
import { type Grants, ownPatterns } from './principal.ts';
import type { AuthStore, Role } from './store/auth-store.ts';

const VIEWER: Grants = { read: ['*'], publish: [], run: false, metrics: true, admin: false };
const MEMBER: Grants = { ...VIEWER, publish: ['*'], run: true };
const ADMIN: Grants = {
  ...MEMBER,
  read: ['*', `${RUN_PREFIX}*`, `${CONVERSATION_PREFIX}*`, `${RUN_EVENTS_PREFIX}*`, `${AUDIT_PREFIX}*`],
  admin: true,
};

export const BUILT_IN_ROLES: readonly Role[] = [
  { name: 'viewer', grants: VIEWER },
  { name: 'member', grants: MEMBER },
  { name: 'admin', grants: ADMIN },
];

/** Patterns in one list of a role or key. Each is compared with each one of a request. */
export const MAX_GRANTED_PATTERNS = 50;

export function isBuiltIn(name: string): boolean {
  return BUILT_IN_ROLES.some((role) => role.name === name);
}

/** Undefined if there is no such role. @throws BrokerUnavailable */
export async function grantsOfRole(store: AuthStore, name: string): Promise<Grants | undefined> {
  const builtIn = BUILT_IN_ROLES.find((role) => role.name === name);
  return (builtIn ?? (await store.roles()).find((role) => role.name === name))?.grants;
}

/** With what an owner may read because it is his. */
export function withOwn(grants: Grants, owner: string): Grants {
  return { ...grants, read: [...new Set([...grants.read, ...ownPatterns(owner)])] };
}
