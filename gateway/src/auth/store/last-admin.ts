// Whether anybody may manage people. Nobody could take it back in the page if the last one lost that, so the stores refuse such a
// change, in the same step in which they would make it.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { AuthContent } from './auth-content.ts';

/** The one of the roles that are built in whose people manage people. */
export const ADMIN_ROLE = 'admin';

/** Keys of services may be admins, too, but they cannot be given to whoever needs the page. */
export class LastAdmin extends CodedError {
  constructor() {
    super('forbidden', 'this is the last admin; add another one first');
    this.name = 'LastAdmin';
  }
}

export function hasAdmin({ users, roles }: Pick<AuthContent, 'users' | 'roles'>): boolean {
  const manages = (role: string) => role === ADMIN_ROLE || roles.get(role)?.grants.admin === true;
  return [...users.values()].some(({ role, disabled }) => !disabled && manages(role));
}
