// A person as a principal. Somebody who is disabled, or whose role does not exist any more, is none.

import type { Principal } from './principal.ts';
import { grantsOfRole, withOwn } from './roles.ts';
import type { AuthStore } from './store/auth-store.ts';

/** Without the end of a credential. @throws BrokerUnavailable */
export async function principalOfUser(store: AuthStore, name: string): Promise<Principal | undefined> {
  const user = await store.user(name);
  if (user === undefined || user.disabled) return undefined;
  const grants = await grantsOfRole(store, user.role);
  if (grants === undefined) return undefined;
  return {
    id: `user:${name}`,
    kind: 'user',
    name,
    owner: name,
    grants: withOwn(grants, name),
    expires: Number.POSITIVE_INFINITY,
  };
}
