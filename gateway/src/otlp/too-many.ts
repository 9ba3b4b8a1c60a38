// The error of a request that holds more than one request may.

import { CodedError } from '@llm-streamer/shared/errors.ts';

export function tooManyValues(most: number): CodedError {
  return new CodedError('batch_too_large', `at most ${most} values in one request; send smaller batches`);
}
