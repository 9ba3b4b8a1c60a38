// What somebody decides about a call that waits for consent, the same on all routes that take it: who he is, and what he says of it.

import { MAX_REASON } from '@llm-streamer/shared/tool-calls.ts';
import { z } from 'zod';
import type { Principal } from '../auth/principal.ts';
import type { Decision } from '../runs/store/run-store.ts';
import { HttpError } from './errors.ts';

const REASON_RULE = `must be a text of at most ${MAX_REASON} characters`;
/** Told to the model. */
export const reasonSchema = z.string(REASON_RULE).max(MAX_REASON, REASON_RULE);

/** What a chat client gives as the reason. @throws HttpError `invalid_body` */
export function reasonOf(given: unknown, field: string): string | undefined {
  const { success, data } = reasonSchema.nullish().safeParse(given);
  if (!success) throw new HttpError('invalid_body', `${field}: a reason ${REASON_RULE}`, { field });
  return data ?? undefined;
}

/** Where nobody signs in, no name says who it was. */
export function decisionOf({ kind, name }: Principal, approved: boolean, reason = ''): Decision {
  return { approved, ...(kind !== 'everyone' && { by: name }), ...(reason !== '' && { reason }) };
}
