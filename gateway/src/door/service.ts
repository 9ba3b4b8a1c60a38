// The port to the services behind the door: one call is one request, and an answer whose bytes are as the service sent them.

import type { Readable } from 'node:stream';
import type { LlmService } from '../llm/target.ts';

export interface ServiceCall {
  upstream: LlmService;
  method: string;
  /** What follows the base URL: the path of the endpoint, and the client's query. */
  path: string;
  /** Names and values by turns, with all that the service gets. */
  headers: readonly string[];
  /** In pieces; undefined where there is none. */
  body: readonly Buffer[] | undefined;
}

export interface ServiceAnswer {
  status: number;
  statusText: string;
  /** Names and values by turns, as they came. */
  headers: readonly string[];
  body: Readable;
}

export interface Service {
  /**
   * Resolves when the head of the answer has come. When `signal` aborts, the connection is closed, also in the middle of the answer.
   * @throws CodedError `service_unreachable`, or the reason of the abort
   */
  send(call: ServiceCall, signal: AbortSignal): Promise<ServiceAnswer>;
}
