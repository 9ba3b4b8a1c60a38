// How a principal is looked up again without its credential, which nobody keeps. After a change that names nobody in particular, a
// stream goes on only if this finds the same rights as those that it was given.

import type { Principal } from './principal.ts';

/** Undefined if the principal is nobody any more. @throws BrokerUnavailable */
export type Renew = () => Promise<Principal | undefined>;

const ways = new WeakMap<Principal, Renew>();

/** Returns `principal`. */
export function renewable(principal: Principal, renew: Renew): Principal {
  ways.set(principal, renew);
  return principal;
}

/** Undefined for a principal that cannot be looked up again. */
export function renewalOf(principal: Principal): Renew | undefined {
  return ways.get(principal);
}

/** Makes `copy`, which stands for `principal` with other rights, renewable as it is. Returns `copy`. */
export function renewableAs(
  principal: Principal,
  copy: Principal,
  alter: (now: Principal) => Principal,
): Principal {
  const renew = ways.get(principal);
  if (renew === undefined) return copy;
  return renewable(copy, async () => {
    const now = await renew();
    return now && alter(now);
  });
}
