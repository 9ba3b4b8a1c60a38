// A failed exchange with a server, as a code and as words for the operator. Both are ours: what a server says is kept apart, for the
// model alone.

import { TOOL_ERRORS } from './tool-errors.ts';
import type { ToolErrorCode } from './toolbox.ts';

interface FailureDetails {
  /** For the operator's log: `it answered 401`. */
  reason?: string;
  /** What the server said. */
  said?: string;
  /** That no connection was made, so that the server cannot have done anything. */
  isUnsent?: boolean;
}

export class ToolFailure extends Error {
  readonly code: ToolErrorCode;
  readonly reason: string;
  readonly said: string | undefined;
  readonly isUnsent: boolean;

  constructor(
    code: ToolErrorCode,
    { reason = TOOL_ERRORS[code], said, isUnsent = false }: FailureDetails = {},
  ) {
    super(code);
    this.name = 'ToolFailure';
    this.code = code;
    this.reason = reason;
    this.said = said;
    this.isUnsent = isUnsent;
  }
}

/** Codes that say that there was no connection. A connection that broke off has others. */
const UNSENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Why `fetch` rejected. */
export function networkFailure(error: unknown): ToolFailure {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  const reason = `it cannot be reached (${typeof code === 'string' ? code : 'no answer'})`;
  return new ToolFailure('tool_unreachable', { reason, isUnsent: UNSENT.has(code) });
}

/** What a status means that is not 2xx. */
export function statusFailure(status: number): ToolFailure {
  const reason = `it answered ${status}`;
  if (status === 401 || status === 403) return new ToolFailure('tool_unauthorized', { reason });
  if (status === 408 || status === 429 || status >= 500)
    return new ToolFailure('tool_unavailable', { reason });
  return new ToolFailure('tool_failed', { reason });
}
