// A failed model call becomes a stable code and a sentence that is safe to show. A provider's own words never leave this file,
// because they may contain keys, addresses or the prompt.

import { parseRetryAfter } from '@llm-streamer/shared/retry-after.ts';
import { APICallError } from 'ai';

/** Each code with the sentence that clients get; docs/errors.md is made from it. */
export const SENTENCES = {
  cancelled: 'The call was cancelled.',
  llm_unauthorized: 'The model service refused the credentials.',
  llm_payment_required: 'The model service asks for payment or has no quota left.',
  llm_not_found: 'The model service does not know this model or address.',
  llm_rejected: 'The model service rejected the request.',
  llm_rate_limited: 'The model service is limiting the rate of requests.',
  llm_unavailable: 'The model service is not available.',
  llm_unreachable: 'The model service could not be reached.',
  llm_no_first_content: 'The model did not begin to answer in time.',
  llm_stalled: 'The model stopped in the middle of its answer.',
  llm_timeout: 'The model did not finish in time.',
  llm_interrupted: 'The connection to the model broke off.',
  llm_truncated: 'The model ended its answer without finishing it.',
  llm_stream_error: 'The model service reported an error instead of the answer, or in the middle of it.',
  llm_invalid_response: 'The model service sent something that is no answer.',
  llm_too_long: 'The model gave a longer answer than is taken.',
  llm_empty: 'The model gave an empty answer.',
  llm_no_tokens_left: 'The model reached its limit of tokens before it began to answer.',
  llm_filtered: 'A content filter of the model service cut the answer off.',
  llm_tool_call: 'The model called a tool instead of answering, where it may call none.',
  llm_circuit_open: 'The model service failed repeatedly and is being given a pause.',
} as const;

export type LlmErrorCode = keyof typeof SENTENCES;

export interface LlmErrorDetails {
  httpStatus?: number;
  retryAfterMs?: number;
}

export class LlmError extends Error {
  readonly code: LlmErrorCode;
  /** The pause that the service asks for with `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  readonly httpStatus: number | undefined;

  constructor(code: LlmErrorCode, details: LlmErrorDetails = {}) {
    super(SENTENCES[code]);
    this.name = 'LlmError';
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.httpStatus = details.httpStatus;
  }
}

/** Classifies what the client library threw, or reported in a stream. */
export function toLlmError(error: unknown): LlmError {
  const ours = causes(error).find((cause) => cause instanceof LlmError); // the client library may have wrapped it
  if (ours) return ours;
  // The service reported this failure in the stream. The client library passes such a report on as it is: it is never an Error.
  if (!(error instanceof Error)) return new LlmError('llm_stream_error');
  if (APICallError.isInstance(error) && (error.statusCode ?? 0) >= 400) return ofStatus(error);
  if (isInterruption(error)) return new LlmError('llm_interrupted');
  if (isUnreachable(error)) return new LlmError('llm_unreachable');
  // The stream ended without a finish reason. Only the error's words distinguish this from data that cannot be used, such as the call of
  // a tool without a name.
  if (error.name === 'AI_InvalidResponseDataError' && error.message.includes('finish reason'))
    return new LlmError('llm_truncated');
  return new LlmError('llm_invalid_response');
}

function ofStatus({ statusCode: httpStatus = 0, responseHeaders }: APICallError): LlmError {
  const retryAfterMs = parseRetryAfter(responseHeaders?.['retry-after'], Date.now());
  const details = { httpStatus, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return new LlmError(codeOfStatus(httpStatus), details);
}

/** What a status of 400 or more means. */
export function codeOfStatus(httpStatus: number): LlmErrorCode {
  if (httpStatus === 401 || httpStatus === 403) return 'llm_unauthorized';
  if (httpStatus === 402) return 'llm_payment_required';
  if (httpStatus === 404) return 'llm_not_found';
  if (httpStatus === 429) return 'llm_rate_limited';
  if (httpStatus === 408 || httpStatus === 409 || httpStatus >= 500) return 'llm_unavailable';
  return 'llm_rejected';
}

function isUnreachable(error: unknown): boolean {
  return causes(error).some(
    (cause) =>
      /^(ECONN|ENOTFOUND|EAI_AGAIN|EHOST|ENET|ETIMEDOUT|UND_ERR_CONNECT|CERT_|DEPTH_ZERO|ERR_TLS|SELF_SIGNED|UNABLE_TO)/.test(
        codeOf(cause),
      ) || /^(Cannot connect to API|fetch failed)/.test(cause.message),
  );
}

function isInterruption(error: unknown): boolean {
  return causes(error).some(
    (cause) => /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(codeOf(cause)) || cause.message === 'terminated',
  );
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at: unknown = error; at instanceof Error && chain.length < 6; at = at.cause) chain.push(at);
  return chain;
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : '';
}
