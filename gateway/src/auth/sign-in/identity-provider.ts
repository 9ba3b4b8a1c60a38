// What is known of the identity provider: where its parts are, read from its discovery document when somebody first signs in. A
// provider that is away never stops the gateway, and is asked again every few seconds at most.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  discovery,
} from 'openid-client';
import { isLoopback } from '../loopback.ts';

/** A provider that was reconfigured is found to be so after this time. */
const FRESH_MS = 3_600_000;
const PAUSE_MS = 5_000;
const TIMEOUT_S = 5;

export interface Client {
  issuer: string;
  clientId: string;
  secret: string;
}

export class IdentityProvider {
  readonly #client: Client;
  readonly #now: () => number;
  #found: { provider: Configuration; at: number } | undefined;
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(client: Client, now: () => number = Date.now) {
    this.#client = client;
    this.#now = now;
  }

  /** @throws CodedError `provider_unavailable` */
  async configuration(): Promise<Configuration> {
    const now = this.#now();
    if (this.#found === undefined || now - this.#found.at > FRESH_MS) {
      if (this.#asking === undefined && now - this.#asked >= PAUSE_MS) this.#asking = this.#ask();
      await this.#asking;
    }
    if (this.#found === undefined) throw providerUnavailable();
    return this.#found.provider;
  }

  /** Resolves also if it fails. What was known before then stays. */
  async #ask(): Promise<void> {
    this.#asked = this.#now();
    const { issuer, clientId, secret } = this.#client;
    const server = new URL(issuer);
    const execute = server.protocol === 'http:' && isLoopback(server.hostname) ? [allowInsecureRequests] : [];
    try {
      const options = { timeout: TIMEOUT_S, execute };
      const provider = await discovery(server, clientId, undefined, clientAuth(secret), options);
      this.#found = { provider, at: this.#now() };
    } catch {
      // The next one who wants to sign in makes it be asked again.
    } finally {
      this.#asking = undefined;
    }
  }
}

/** A provider that does not say how it wants to be shown the secret wants the form that OpenID Connect names first. */
function clientAuth(secret: string): ClientAuth {
  return (server, ...rest) => {
    const { token_endpoint_auth_methods_supported: methods } = server;
    const isBasic = methods === undefined || methods.includes('client_secret_basic');
    return (isBasic ? ClientSecretBasic(secret) : ClientSecretPost(secret))(server, ...rest);
  };
}

export function providerUnavailable(cause?: unknown): CodedError {
  return new CodedError('provider_unavailable', 'the identity provider does not answer; try again', {
    cause,
  });
}
