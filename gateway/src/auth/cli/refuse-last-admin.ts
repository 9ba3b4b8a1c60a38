// Commands that take the last admin need a second word: whoever types them seldom means it.

import { type AdminChange, takesLastAdmin } from '../rights/last-admin.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { failure } from './command-line.ts';

export const FORCE = { force: { type: 'boolean' } } as const;

/** @throws CodedError `failure` */
export async function refuseLastAdmin(
  store: AuthStore,
  change: AdminChange,
  isForced = false,
): Promise<void> {
  if (isForced || !(await takesLastAdmin(store, change))) return;
  throw failure('nobody could manage people in the page any more: add another admin first, or give --force');
}
