// Tells whether a change takes the last person who may manage people. Nobody could take that back in the page.

import type { AuthStore, Role, User } from '../store/auth-store.ts';
import { allRoles } from './roles.ts';

export type AdminChange =
  | { user: string; deleted: true }
  | { user: string; role?: string | undefined; disabled?: boolean | undefined }
  | { role: Role };

/** False where there is none before, so that an installation without people who are admins can be changed. @throws BrokerUnavailable */
export async function takesLastAdmin(store: AuthStore, change: AdminChange): Promise<boolean> {
  const [users, roles] = await Promise.all([store.users(), allRoles(store)]);
  if (!hasAdmin(users, roles)) return false;
  if (!('user' in change)) {
    const others = roles.filter(({ name }) => name !== change.role.name);
    return !hasAdmin(users, [...others, change.role]);
  }
  const { user: name, ...rest } = change;
  const others = users.filter((user) => user.name !== name);
  const changed = users.find((user) => user.name === name);
  if (changed === undefined || 'deleted' in rest) return !hasAdmin(others, roles);
  const { role = changed.role, disabled = changed.disabled } = rest;
  return !hasAdmin([...others, { ...changed, role, disabled }], roles);
}

function hasAdmin(users: readonly User[], roles: readonly Role[]): boolean {
  const admins = roles.filter(({ grants }) => grants.admin).map(({ name }) => name);
  return users.some(({ role, disabled }) => !disabled && admins.includes(role));
}
