// Commands that take the last admin need a second word: whoever types them seldom means it.

import { LastAdmin } from '../store/last-admin.ts';
import { failure } from './command-line.ts';

export const FORCE = { force: { type: 'boolean' } } as const;

/** @throws CodedError `failure` that names `--force`, if `change` throws LastAdmin */
export async function refuseLastAdmin<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (!(error instanceof LastAdmin)) throw error;
    throw failure(
      'nobody could manage people in the page any more: add another admin first, or give --force',
    );
  }
}
