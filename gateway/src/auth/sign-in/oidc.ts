// Sign-in with an identity provider, by OpenID Connect: code flow with PKCE, state and nonce. What must be remembered until the
// browser comes back is sealed into a cookie of that browser, so that it can come back to any gateway, and no other browser can.

import { hash, timingSafeEqual } from 'node:crypto';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import {
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientError,
  type Configuration,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  ResponseBodyError,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { claimNamed, namesIn, rolesOfGroups } from '../credentials/claimed-grants.ts';
import { CredentialRefused } from '../credentials/credential-refused.ts';
import { isSubject, ownerOfSubject, shownName } from '../credentials/outside-names.ts';
import type { Sessions } from '../credentials/sessions.ts';
import { RefusalLog } from '../refusal-log.ts';
import { grantsOfRoles, type RoleGrants, rolesIn } from '../rights/roles.ts';
import { secretOf } from '../secret.ts';
import type { AuthStore, ProviderIdentity } from '../store/auth-store.ts';
import { CLIENT_SECRET_BYTES, type OidcConfig, rolesByGroup } from '../ways-config.ts';
import { FairTurns } from './fair-turns.ts';
import { IdentityProvider, providerUnavailable } from './identity-provider.ts';
import { SealedText } from './sealed-text.ts';
import type { Visitor } from './sign-in.ts';

/** How long somebody may take to sign in at the provider. */
export const ATTEMPT_MS = 600_000;
/** Groups are read once, when somebody signs in. He must come again after this time, and a group that he has lost is then lost here. */
const SESSION_MS = 12 * 3_600_000;
/** Exchanges with the provider at a time: whoever asks for them has shown nothing but a cookie that anybody gets. Others take turns. */
const MAX_EXCHANGES = 16;
/** With more the cookie would be too large for browsers. */
const MAX_PAGE_QUERY = 1_500;

/** What is remembered of an attempt. */
interface Attempt {
  state: string;
  nonce: string;
  verifier: string;
  /** The query of the page from which it was begun. */
  pageQuery: string;
}

export interface Begun {
  /** Where the browser must go. */
  location: string;
  /** What the browser must bring back in a cookie. */
  attempt: string;
}

/** The end of an attempt. Without `session` nobody has signed in, for reasons that only the operator is told. */
export interface Finished {
  pageQuery: string;
  session?: { token: string; expires: number; user: string };
}

interface OidcOptions {
  issuer: string;
  clientId: string;
  secret: string;
  /** The whole URL to which the provider sends browsers back. */
  callback: string;
  groupsClaim: string;
  roles: ReadonlyMap<string, readonly string[]>;
  /** What people call the provider. */
  name: string;
}

type Claims = Readonly<Record<string, unknown>>;

export class OidcSignIn {
  readonly #options: OidcOptions;
  readonly #sessions: Pick<Sessions, 'begin'>;
  readonly #roles: RoleGrants;
  readonly #provider: IdentityProvider;
  readonly #sealed: SealedText;
  readonly #refusals: RefusalLog;
  readonly #now: () => number;
  readonly #exchanges = new FairTurns(MAX_EXCHANGES);

  constructor(
    options: OidcOptions,
    sessions: Pick<Sessions, 'begin'>,
    roles: RoleGrants,
    logger: Logger,
    now: () => number = Date.now,
  ) {
    this.#options = options;
    this.#sessions = sessions;
    this.#roles = roles;
    this.#provider = new IdentityProvider(options, now);
    this.#sealed = new SealedText(
      options.secret,
      `llm-streamer oidc ${options.issuer} ${options.clientId}`,
      now,
    );
    this.#refusals = new RefusalLog(logger, 'a sign-in with the identity provider');
    this.#now = now;
  }

  /** What the button of the page says. */
  get name(): string {
    return this.#options.name;
  }

  /**
   * @param pageQuery the query of the page, to be shown again afterwards.
   * @throws CodedError `provider_unavailable`
   */
  async begin(pageQuery: string): Promise<Begun> {
    const provider = await this.#provider.configuration();
    const attempt: Attempt = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      pageQuery: pageQuery.length > MAX_PAGE_QUERY ? '' : pageQuery,
    };
    const location = buildAuthorizationUrl(provider, {
      redirect_uri: this.#options.callback,
      scope: this.#scope(provider),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
    });
    return {
      location: location.href,
      attempt: this.#sealed.seal(JSON.stringify(attempt), this.#now() + ATTEMPT_MS),
    };
  }

  /**
   * @param query what the provider has added to the URL of the callback.
   * @param sealed the cookie that `begin` has made; undefined if the browser brings none.
   * @throws CodedError `provider_unavailable`, or `too_many_attempts` if too many wait for it
   * @throws BrokerUnavailable if the session cannot be kept now.
   */
  async finish(query: string, sealed: string | undefined, visitor: Visitor): Promise<Finished> {
    const attempt = this.#attemptIn(sealed);
    const pageQuery = attempt?.pageQuery ?? '';
    try {
      if (attempt === undefined)
        throw new CredentialRefused(
          'the browser has not begun it, or more than 10 minutes ago; was it at PUBLIC_URL?',
        );
      const external = await this.#person(query, attempt, visitor.address);
      const { token, session } = await this.#sessions.begin({ user: external.owner, external, ...visitor });
      return { pageQuery, session: { token, expires: session.expires, user: session.user } };
    } catch (error) {
      if (!(error instanceof CredentialRefused)) throw error;
      this.#refusals.refuse(error.message);
      return { pageQuery };
    }
  }

  #attemptIn(sealed: string | undefined): Attempt | undefined {
    const text = sealed === undefined ? undefined : this.#sealed.open(sealed);
    return text === undefined ? undefined : (JSON.parse(text) as Attempt);
  }

  async #person(query: string, attempt: Attempt, address: string): Promise<ProviderIdentity> {
    // Before the provider is asked for anything. Somebody else's answer, sent to a browser in a link, would sign its owner in as
    // that somebody.
    if (!isSame(new URLSearchParams(query).get('state') ?? '', attempt.state))
      throw new CredentialRefused('it is the answer to another attempt');
    const provider = await this.#provider.configuration();
    const claims = await this.#exchanges.run(address, () => this.#exchange(provider, query, attempt));
    const roles = rolesOfGroups(this.#groupsIn(claims), this.#options.roles);
    if ((await grantsOfRoles(roles, this.#roles)) === undefined)
      throw new CredentialRefused('no group of the person has a role here');
    return {
      name: shownName(claims.preferred_username, claims.name, claims.sub),
      owner: ownerOfSubject(this.#options.issuer, claims.sub as string),
      roles,
      until: this.#now() + SESSION_MS,
    };
  }

  /** The claims of the ID token, and those of the user info where the groups are not in the token. */
  async #exchange(provider: Configuration, query: string, attempt: Attempt): Promise<Claims> {
    try {
      const answer = await authorizationCodeGrant(provider, new URL(`${this.#options.callback}?${query}`), {
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        pkceCodeVerifier: attempt.verifier,
        idTokenExpected: true,
      });
      const token = answer.claims();
      if (token === undefined || !isSubject(token.sub)) throw new CredentialRefused('its sub is no name');
      const isComplete = claimNamed(this.#options.groupsClaim, token) !== undefined;
      if (isComplete || provider.serverMetadata().userinfo_endpoint === undefined) return token;
      return { ...(await fetchUserInfo(provider, answer.access_token, token.sub)), ...token };
    } catch (error) {
      throw providerError(error);
    }
  }

  #groupsIn(claims: Claims): string[] {
    const { groupsClaim } = this.#options;
    // Some providers let people write any address into their profile.
    if (groupsClaim === 'email' && claims.email_verified !== true)
      throw new CredentialRefused('the provider has not verified the e-mail address');
    const value = claimNamed(groupsClaim, claims);
    const groups = value === undefined ? [] : namesIn(value);
    if (groups === undefined) throw new CredentialRefused('its groups are no list of names');
    return groups;
  }

  /** Providers refuse scopes that they do not know, and some tell the groups only if they are asked for them. */
  #scope(provider: Configuration): string {
    const { scopes_supported: known = [] } = provider.serverMetadata();
    const wanted = ['profile', this.#options.groupsClaim].filter((scope) => known.includes(scope));
    return ['openid', ...new Set(wanted)].join(' ');
  }
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  return timingSafeEqual(digest(one), digest(other));
}

const AWAY = ['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'];

/** Whether the provider says no, or is not well. Codes are words of the library, never of the browser. */
function providerError(error: unknown): unknown {
  if (error instanceof AuthorizationResponseError)
    return new CredentialRefused('the provider has refused it');
  if (error instanceof ResponseBodyError)
    return error.status < 500
      ? new CredentialRefused('the provider does not know the code')
      : providerUnavailable(error);
  if (error instanceof ClientError) {
    const { code = 'the answer of the provider was wrong' } = error;
    return AWAY.includes(code) ? providerUnavailable(error) : new CredentialRefused(code);
  }
  // So fetch tells of a connection that failed.
  return error instanceof TypeError ? providerUnavailable(error) : error;
}

/** @param publicUrl with the base path, if there is one. */
export function callbackUrl(publicUrl: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/auth/oidc/callback`;
}

/**
 * Undefined where no identity provider is configured.
 * @throws CodedError `invalid_config` if the file of the secret cannot be read.
 */
export function oidcSignIn(
  config: OidcConfig & { PUBLIC_URL?: string | undefined },
  store: Pick<AuthStore, 'roles'>,
  sessions: Pick<Sessions, 'begin'>,
  logger: Logger,
): OidcSignIn | undefined {
  const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_CLIENT_SECRET_FILE, PUBLIC_URL } = config;
  if (OIDC_ISSUER === undefined || OIDC_CLIENT_ID === undefined || PUBLIC_URL === undefined) return undefined;
  const options = {
    issuer: OIDC_ISSUER,
    clientId: OIDC_CLIENT_ID,
    secret: secretOf('OIDC_CLIENT_SECRET', OIDC_CLIENT_SECRET, OIDC_CLIENT_SECRET_FILE, CLIENT_SECRET_BYTES),
    callback: callbackUrl(PUBLIC_URL),
    groupsClaim: config.OIDC_GROUPS_CLAIM,
    roles: rolesByGroup(config.OIDC_ROLES),
    name: config.OIDC_NAME,
  };
  return new OidcSignIn(options, sessions, rolesIn(store), logger);
}
