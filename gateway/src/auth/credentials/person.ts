// A person as a principal. Somebody who is disabled, or whose role does not exist any more, is none.

import type { Grants, Principal } from '../principal.ts';
import { grantsOfRole, withOwn } from '../rights/roles.ts';
import type { AuthStore } from '../store/auth-store.ts';

/** Somebody whom this gateway knows, or for whom a provider or a proxy vouches. Without the end of a credential. */
export function personPrincipal(name: string, owner: string, grants: Grants): Principal {
  return {
    id: `user:${owner}`,
    kind: 'user',
    name,
    owner,
    grants: withOwn(grants, owner),
    expires: Number.POSITIVE_INFINITY,
  };
}

/** @throws BrokerUnavailable */
export async function principalOfUser(store: AuthStore, name: string): Promise<Principal | undefined> {
  const user = await store.user(name);
  if (user === undefined || user.disabled) return undefined;
  const grants = await grantsOfRole(store, user.role);
  return grants && personPrincipal(name, name, grants);
}
