// From the headers of a request to its principal. A request has one credential: `Authorization` wins, then the headers of a proxy, then
// the cookie. One that is there but is not valid is an error, and never makes a request anonymous; the query is never looked at.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { KEY_PREFIX } from './credentials/api-keys.ts';
import type { CredentialCheck } from './credentials/credential-check.ts';
import { SESSION_PREFIX } from './credentials/sessions.ts';
import type { Principal } from './principal.ts';
import type { RefusalLog } from './refusal-log.ts';

export interface CredentialSource {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Names and values by turns, as they came. */
  rawHeaders: readonly string[];
  /** The address of the other end of the connection, which may be a proxy. */
  peer: string;
  /** `http` or `https`, as a trusted proxy or the connection says. */
  protocol: string;
}

/** A credential in headers other than `Authorization`. */
export interface HeaderCheck {
  /** Undefined if the request has no such credential. */
  find(source: CredentialSource): PresentedCredential | undefined;
}

/** What the operator is told of a credential. */
export type CredentialKind =
  | 'api key'
  | 'session'
  | 'JWT'
  | 'bearer credential'
  | 'Authorization header'
  | 'proxy header';

export interface PresentedCredential {
  kind: CredentialKind;
  /** Undefined if it is not valid. @throws BrokerUnavailable */
  principal(): Promise<Principal | undefined>;
}

/** Says nothing to the client but that the credential is not valid. */
export class InvalidCredential extends CodedError {
  readonly kind: CredentialKind;

  constructor(kind: CredentialKind) {
    super('unauthorized', 'this credential is not valid; sign in again, or send another key');
    this.name = 'InvalidCredential';
    this.kind = kind;
  }
}

/** The checks by what a bearer credential looks like; a kind without a check is never valid. */
export interface BearerChecks {
  /** `lls_…` */
  apiKey?: CredentialCheck | undefined;
  /** `lst_…` */
  session?: CredentialCheck | undefined;
  /** Three parts with dots between. */
  jwt?: CredentialCheck | undefined;
  /** Asked first, about each of them. */
  bootstrap?: CredentialCheck | undefined;
}

/** None is longer than the largest JWT that makes sense. */
const MAX_CHARACTERS = 16_384;

export class Authenticator {
  readonly #bearer: BearerChecks;
  readonly #headers: readonly HeaderCheck[];
  readonly #refusals: Pick<RefusalLog, 'refuse'> | undefined;

  /** `headers` in the order in which they win. */
  constructor(
    bearer: BearerChecks,
    headers: readonly HeaderCheck[] = [],
    refusals?: Pick<RefusalLog, 'refuse'>,
  ) {
    this.#bearer = bearer;
    this.#headers = headers;
    this.#refusals = refusals;
  }

  /**
   * Undefined if the request has no credential. @throws InvalidCredential; BrokerUnavailable if that cannot be known now; CodedError
   * `invalid_header` for two `Authorization` headers
   */
  async principalOf(source: CredentialSource): Promise<Principal | undefined> {
    const presented = this.#presented(source);
    if (presented === undefined) return undefined;
    const principal = await presented.principal();
    if (principal === undefined || principal.expires <= Date.now())
      throw new InvalidCredential(presented.kind);
    return principal;
  }

  #presented(source: CredentialSource): PresentedCredential | undefined {
    const values = source.rawHeaders.filter(
      (_, i) => i % 2 === 1 && source.rawHeaders[i - 1]?.toLowerCase() === 'authorization',
    );
    if (values.length > 1)
      throw new CodedError('invalid_header', 'send one Authorization header', { field: 'Authorization' });
    if (values[0] !== undefined) return this.#inAuthorization(values[0]);
    for (const check of this.#headers) {
      const found = check.find(source);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #inAuthorization(value: string): PresentedCredential {
    const bearer = bearerIn(value);
    if (bearer === undefined)
      return {
        kind: 'Authorization header',
        principal: async () =>
          this.#refusals?.refuse('its form is neither Bearer, Splunk nor Basic with a token'),
      };
    const [kind, check] = this.#checkOf(bearer);
    return {
      kind,
      principal: async () => {
        const bootstrap = await this.#bearer.bootstrap?.principalOf(bearer);
        if (bootstrap !== undefined || check !== undefined) return bootstrap ?? check?.principalOf(bearer);
        return this.#refusals?.refuse(`a ${kind} of this form is not taken here`);
      },
    };
  }

  #checkOf(bearer: string): [CredentialKind, CredentialCheck | undefined] {
    if (bearer.startsWith(KEY_PREFIX)) return ['api key', this.#bearer.apiKey];
    if (bearer.startsWith(SESSION_PREFIX)) return ['session', this.#bearer.session];
    if (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(bearer)) return ['JWT', this.#bearer.jwt];
    return ['bearer credential', undefined];
  }
}

/**
 * What stands behind `Bearer` or `Splunk`, or in the password of `Basic`, for programs that can send nothing else; the name is ignored.
 */
export function bearerIn(header: string): string | undefined {
  if (header.length > 2 * MAX_CHARACTERS) return undefined;
  const [, scheme, value = ''] = /^(bearer|basic|splunk) +(\S+) *$/i.exec(header) ?? [];
  let bearer: string | undefined = value;
  if (scheme?.toLowerCase() === 'basic') {
    const pair = Buffer.from(value, 'base64').toString('utf8');
    bearer = pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined;
  }
  // Each kind is made of these letters.
  return bearer !== undefined && bearer.length <= MAX_CHARACTERS && /^[\w.~+/=-]+$/.test(bearer)
    ? bearer
    : undefined;
}
