// Calls a service over HTTP. It follows no redirect, unpacks nothing and has no timeout of its own: the client decides how long it
// waits, as it would with the service itself.

import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Service, ServiceAnswer, ServiceCall } from './service.ts';

/** Connections that are kept for the next call, for each service. */
const MAX_IDLE = 64;

export class HttpService implements Service {
  readonly #plain = new HttpAgent({ keepAlive: true, maxFreeSockets: MAX_IDLE });
  readonly #secure = new HttpsAgent({ keepAlive: true, maxFreeSockets: MAX_IDLE });

  async send(call: ServiceCall, signal: AbortSignal): Promise<ServiceAnswer> {
    try {
      return await this.#attempt(call, signal, true);
    } catch (error) {
      // A kept connection that the service closes in this moment says nothing of the service.
      if (!(error instanceof StaleConnection)) throw error;
      return this.#attempt(call, signal, false);
    }
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #attempt(call: ServiceCall, signal: AbortSignal, reuse: boolean): Promise<ServiceAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ServiceAnswer>();
    const request = this.#open(call, signal, reuse);
    request.once('response', (response) => {
      const { statusCode = 0 } = response;
      if (statusCode >= 100) return resolve(answerOf(response));
      response.destroy(); // Node reads such a status, and refuses to write it
      reject(unreachable(undefined));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason);
      else if (reuse && request.reusedSocket && isReset(error)) reject(new StaleConnection());
      else reject(unreachable(error));
    });
    // The only sign of an answer that asks for another protocol.
    request.once('close', () => reject(unreachable(undefined)));
    for (const piece of call.body ?? []) request.write(piece);
    request.end();
    return promise;
  }

  #open(
    { upstream, method, path, headers }: ServiceCall,
    signal: AbortSignal,
    reuse: boolean,
  ): ClientRequest {
    const url = new URL(`${upstream.baseUrl}${path}`);
    const isSecure = url.protocol === 'https:';
    const agent = reuse && (isSecure ? this.#secure : this.#plain);
    const target = {
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: `${url.pathname}${url.search}`,
    };
    const options = { ...target, method, headers, agent, signal };
    return (isSecure ? requestHttps : requestHttp)(options);
  }
}

class StaleConnection extends Error {}

function answerOf(response: IncomingMessage): ServiceAnswer {
  const { statusCode: status = 502, statusMessage: statusText = '', rawHeaders: headers } = response;
  return { status, statusText, headers, body: response };
}

function isReset({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** The error's own text may hold an address that is nobody's business. */
function unreachable(cause: unknown): CodedError {
  return new CodedError('service_unreachable', 'the model service could not be reached, or sent no HTTP', {
    cause,
  });
}
