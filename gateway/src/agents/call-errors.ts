// Why a call that a model asked for was not made, or failed: each code with the sentence that the model and the readers of the run get.

import { TOOL_ERRORS } from '../tools/tool-errors.ts';

export const CALL_ERRORS = {
  ...TOOL_ERRORS,
  agent_loop: 'The same call was made before, and its result would be the same. Use what you have.',
  agent_too_many_calls:
    'These are more calls than may be made. Use what you have, or ask for the rest later.',
  approval_expired: 'Nobody has consented in time, so the call was not made. Do not ask for it again.',
} as const;

export type CallErrorCode = keyof typeof CALL_ERRORS;
