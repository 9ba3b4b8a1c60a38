// Who counts as one wherever requests share something bounded: all sessions and keys of a person, a key of a program, and of those
// who are not known each client.

import type { Principal } from './auth/principal.ts';
import { clientOf } from './client-of.ts';

export function sharerOf(principal: Principal | undefined, address: string): string {
  const isKnown = principal !== undefined && principal.kind !== 'anonymous' && principal.kind !== 'everyone';
  return isKnown ? `owner ${principal.owner}` : clientOf(address);
}
