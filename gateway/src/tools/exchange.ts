// One exchange with one MCP server: connect, do something, end. It takes at most its time, ends at once when its signal aborts, and fails
// only with a ToolFailure. Each has a client of its own, so that nothing of one person's call is left for the next: no session, no token.

import type { MCPClient } from '@ai-sdk/mcp';
import { orAbort } from '../or-abort.ts';
import { BoundedFetch } from './bounded-fetch.ts';
import { statusFailure, ToolFailure } from './tool-failure.ts';

export interface Endpoint {
  url: string;
  /** The network's, or the face of a server in this process. */
  fetch: typeof globalThis.fetch;
}

export interface ExchangeOptions {
  endpoint: Endpoint;
  authorization?: string | undefined;
  /** Goes into `_meta` of a call. */
  meta?: Readonly<Record<string, unknown>>;
  timeoutMs: number;
  signal: AbortSignal;
}

/** JSON-RPC's code for parameters that do not fit. */
const INVALID_PARAMS = -32_602;

/** @throws ToolFailure */
export async function exchange<T>(
  options: ExchangeOptions,
  work: (client: MCPClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const broken = new AbortController();
  const late = AbortSignal.timeout(options.timeoutMs);
  const ended = AbortSignal.any([options.signal, late, broken.signal]);
  const bounded = new BoundedFetch({
    fetch: options.endpoint.fetch,
    secret: options.authorization?.replace(/^Bearer /, ''),
    meta: options.meta ?? {},
    signal: ended,
    onBroken: (failure) => broken.abort(failure),
  });
  try {
    return await orAbort(connected(options, bounded, ended, work), ended);
  } catch (error) {
    // By our own signals: the client's error for all of them is that the request was aborted.
    if (options.signal.aborted) throw new ToolFailure('cancelled');
    if (broken.signal.aborted) throw broken.signal.reason;
    if (late.aborted) throw new ToolFailure('tool_timeout', { reason: 'it does not answer in time' });
    throw failureOf(error);
  }
}

async function connected<T>(
  { endpoint: { url }, authorization }: ExchangeOptions,
  bounded: BoundedFetch,
  signal: AbortSignal,
  work: (client: MCPClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { createMCPClient } = await import('@ai-sdk/mcp');
  const client = await createMCPClient({
    transport: {
      type: 'http',
      url,
      fetch: bounded.fetch,
      ...(authorization !== undefined && { headers: { authorization } }),
    },
    initializationOptions: { signal },
    clientName: 'llm-streamer',
    onUncaughtError: () => undefined, // BoundedFetch has heard what matters of it
  });
  try {
    return await work(client, signal);
  } finally {
    client.close().catch(() => undefined);
  }
}

function failureOf(error: unknown): ToolFailure {
  if (error instanceof ToolFailure) return error;
  const { code, statusCode, message } = error as {
    code?: unknown;
    statusCode?: unknown;
    message?: unknown;
  };
  if (typeof statusCode === 'number' && statusCode >= 400) return statusFailure(statusCode);
  if (typeof code !== 'number' || typeof message !== 'string')
    return new ToolFailure('tool_failed', { reason: 'it answers with something that is no MCP' });
  const reason = `it answered with the error ${code}`;
  return new ToolFailure(code === INVALID_PARAMS ? 'tool_bad_arguments' : 'tool_failed', {
    reason,
    said: message,
  });
}
