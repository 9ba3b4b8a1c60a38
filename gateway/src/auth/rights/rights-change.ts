// Whom a change of rights concerns.

import type { Principal } from '../principal.ts';

/** Names everybody who has come with a token of the issuer, some of whose keys are not good any more. */
export const ALL_TOKENS = 'jwt:*';

/**
 * A key that belongs to a person has the person's owner, and ends with him.
 *
 * @param changed as in `RightsChange`, or with ALL_TOKENS
 */
export function concerns(
  changed: ReadonlySet<string>,
  { id, kind, owner, session }: Pick<Principal, 'id' | 'kind' | 'owner' | 'session'>,
): boolean {
  if (kind === 'everyone' || kind === 'anonymous') return false;
  if (changed.has('*') || changed.has(id)) return true;
  if (kind === 'jwt' && changed.has(ALL_TOKENS)) return true;
  return changed.has(`user:${owner}`) || (session !== undefined && changed.has(`session:${session}`));
}

/** Whether a credential that was unknown may be known now. The end of a session makes nothing known. */
export function mayMakeKnown(changed: ReadonlySet<string>): boolean {
  return [...changed].some((principal) => !principal.startsWith('session:'));
}
