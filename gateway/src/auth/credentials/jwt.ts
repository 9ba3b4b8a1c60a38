// Tokens of an issuer: JWTs that somebody else signs, with the grants or the roles of whoever shows one. Only access tokens that were
// made for this gateway are taken; a token of which any part is not as it must be is refused as a whole.

import { hash } from 'node:crypto';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import { type Grants, NO_GRANTS, type Principal } from '../principal.ts';
import { RefusalLog } from '../refusal-log.ts';
import { renewable } from '../renewal.ts';
import { areAdmins, grantsOfRoles, joinGrants, type RoleGrants, rolesIn, withOwn } from '../rights/roles.ts';
import { secretOf } from '../secret.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { JWT_SECRET_BYTES, type JwtConfig } from '../ways-config.ts';
import { claimedGrants, claimNamed, namesIn } from './claimed-grants.ts';
import type { CredentialCheck } from './credential-check.ts';
import { CredentialRefused } from './credential-refused.ts';
import { IssuerKeys, thumbprintOf } from './issuer-keys.ts';
import { isSubject, ownerOfSubject, shownName } from './outside-names.ts';

/** The claim that holds grants in so many words. */
const GRANTS_CLAIM = 'llm_streamer';
/** Larger ones are refused unread. Tokens with some hundred groups have 10 kB. */
const MAX_CHARACTERS = 16_384;
/** Letters and digits in three parts: neither a key nor a session looks like that, nor a token that is encrypted (five parts). */
const FORM = /^[\w-]{2,}\.[\w-]{2,}\.[\w-]{2,}$/;
/** Clocks of two machines may differ by this much. A token is never used after its end, though: streams end then. */
const CLOCKS_S = 30;
/** An `exp` in milliseconds, a common mistake, lies some 50,000 years ahead, and such a token would never end. */
const LONGEST_S = 366 * 86_400;
const MAX_VERIFIED = 10_000;

// With a set of public keys no algorithm with a secret is taken, and the other way round. Otherwise somebody could sign with a
// public key as if it were the secret.
const PUBLIC_KEY_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];

/** What `typ` of the header may be; Keycloak and most others write `JWT` there, and many write nothing. */
const TYPES = ['jwt', 'at+jwt', 'application/at+jwt'];
/** Claims that only ID tokens have. */
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash'];

type Claims = JWTPayload & { sub: string; exp: number };

interface Verified {
  claims: Claims;
  /** The names of the key that has signed it, and its thumbprint; undefined for a secret, which stays as it is. */
  signer: { header: JWTHeaderParameters; thumbprint: string } | undefined;
  /** The version of the issuer's keys that it was verified with. */
  version: number;
}

interface JwtOptions {
  issuer: string;
  audience: string;
  keys: IssuerKeys | Uint8Array;
  rolesClaim: string | undefined;
  admin: boolean;
}

export class JwtCheck implements CredentialCheck {
  readonly #options: JwtOptions;
  readonly #roles: RoleGrants;
  readonly #refusals: RefusalLog;
  readonly #now: () => number;
  readonly #algorithms: string[];
  /** By digest of the token, the oldest first. A signature costs 150 µs, and after a restart thousands of clients come back at once. */
  readonly #verified = new Map<string, Promise<Verified>>();

  constructor(options: JwtOptions, roles: RoleGrants, logger: Logger, now: () => number = Date.now) {
    this.#options = options;
    this.#roles = roles;
    this.#refusals = new RefusalLog(logger, 'a token', now);
    this.#now = now;
    this.#algorithms = options.keys instanceof IssuerKeys ? PUBLIC_KEY_ALGORITHMS : SECRET_ALGORITHMS;
  }

  /** Tokens whose signature need not be looked at again. */
  get remembered(): number {
    return this.#verified.size;
  }

  /** `heard` is called when a key of the issuer is not good any more, so that whoever came with a token must be looked at again. */
  onKeysGone(heard: () => void): void {
    const { keys } = this.#options;
    if (keys instanceof IssuerKeys) keys.onGone(heard);
  }

  /** Asks the issuer no more. */
  close(): void {
    const { keys } = this.#options;
    if (keys instanceof IssuerKeys) keys.close();
  }

  async principalOf(token: string): Promise<Principal | undefined> {
    if (token.length > MAX_CHARACTERS) return this.#refusals.refuse('it is too long');
    if (!FORM.test(token)) return this.#refusals.refuse('it is malformed');
    try {
      const { claims, signer } = await this.#verifiedOnce(token);
      if (claims.exp * 1_000 <= this.#now()) throw new CredentialRefused('it has expired');
      const principal = async () => this.#principal(claims, await this.#grants(claims));
      const renew = async () => ((await this.#isKnown(signer)) ? principal() : undefined);
      return renewable(await principal(), renew);
    } catch (error) {
      if (error instanceof CredentialRefused) return this.#refusals.refuse(error.message);
      // The codes of jose are words of its own, such as ERR_JWS_SIGNATURE_VERIFICATION_FAILED.
      if (error instanceof errors.JOSEError) return this.#refusals.refuse(error.code);
      throw error;
    }
  }

  /** Whether the issuer still has the key. The token is not kept, so that its signature cannot be looked at again. */
  async #isKnown(signer: Verified['signer']): Promise<boolean> {
    const { keys } = this.#options;
    if (signer === undefined || !(keys instanceof IssuerKeys)) return true;
    const candidates = await keys.candidates(signer.header);
    const thumbprints = await Promise.all(candidates.map(thumbprintOf));
    return thumbprints.includes(signer.thumbprint);
  }

  async #verifiedOnce(token: string): Promise<Verified> {
    const digest = hash('sha256', token, 'base64');
    const known = this.#verified.get(digest);
    if (known !== undefined) {
      const { keys } = this.#options;
      if (keys instanceof IssuerKeys) await keys.current();
      const found = await known;
      if (found.version === this.#version) return found;
    }
    // First what needs no key: a token that is not even meant for this gateway never makes it ask the issuer.
    this.#refuseWithoutKey(token);
    const verified = this.#verify(token);
    this.#remember(digest, verified);
    try {
      return await verified;
    } catch (error) {
      if (this.#verified.get(digest) === verified) this.#verified.delete(digest);
      throw error;
    }
  }

  #remember(digest: string, verified: Promise<Verified>): void {
    this.#verified.delete(digest);
    this.#verified.set(digest, verified);
    if (this.#verified.size <= MAX_VERIFIED) return;
    const [oldest] = this.#verified.keys();
    this.#verified.delete(oldest as string);
  }

  get #version(): number {
    const { keys } = this.#options;
    return keys instanceof IssuerKeys ? keys.version : 0;
  }

  /** Refuses a token that would be refused whatever key had signed it. Nothing that is read here is believed yet. */
  #refuseWithoutKey(token: string): void {
    const { alg, typ } = headerOf(token);
    if (typeof alg !== 'string' || !this.#algorithms.includes(alg))
      throw new CredentialRefused('its algorithm is not one for the keys that are configured');
    const claims = decodeJwt(token);
    if (claims.iss !== this.#options.issuer) throw new CredentialRefused('it is of another issuer');
    refuseOtherTypes(typ, claims);
  }

  async #verify(token: string): Promise<Verified> {
    const { issuer, audience, keys } = this.#options;
    const header = headerOf(token);
    const options = {
      algorithms: this.#algorithms,
      issuer,
      audience,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCKS_S,
      currentDate: new Date(this.#now()),
    };
    const named = { ...header, alg: header.alg as string };
    const candidates = keys instanceof IssuerKeys ? await keys.candidates(named) : [keys];
    const version = this.#version;
    for (const key of candidates) {
      try {
        const { payload } = await jwtVerify(token, key, options);
        const { alg, kid } = named;
        const signer =
          key instanceof Uint8Array
            ? undefined
            : { header: { alg, ...(kid !== undefined && { kid }) }, thumbprint: await thumbprintOf(key) };
        return { claims: this.#bounded(payload), signer, version };
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    throw new CredentialRefused('no key of the issuer has signed it');
  }

  #bounded(payload: JWTPayload): Claims {
    const { sub, exp } = payload;
    if (!isSubject(sub)) throw new CredentialRefused('its sub is no name');
    if (exp === undefined || exp > this.#now() / 1_000 + LONGEST_S)
      throw new CredentialRefused('its exp is more than a year ahead; is it in milliseconds?');
    return { ...payload, sub, exp };
  }

  async #grants(claims: Claims): Promise<Grants> {
    const { rolesClaim, admin } = this.#options;
    const all: Grants[] = [];
    if (Object.hasOwn(claims, GRANTS_CLAIM)) {
      const grants = claimedGrants(claims[GRANTS_CLAIM]);
      if (grants === undefined) throw new CredentialRefused(`its ${GRANTS_CLAIM} holds what is no grant`);
      if (areAdmins(grants) && !admin)
        throw new CredentialRefused('it grants admin, which needs JWT_ADMIN=true');
      all.push(grants);
    }
    const value = rolesClaim === undefined ? undefined : claimNamed(rolesClaim, claims);
    if (value !== undefined) {
      const names = namesIn(value);
      if (names === undefined) throw new CredentialRefused('its claim of roles is no list of names');
      const ofRoles = await grantsOfRoles(names, this.#roles, (grants) => admin || !areAdmins(grants));
      if (ofRoles !== undefined) all.push(ofRoles);
    }
    return all.length === 0 ? NO_GRANTS : joinGrants(all);
  }

  #principal(claims: Claims, grants: Grants): Principal {
    const owner = ownerOfSubject(this.#options.issuer, claims.sub);
    return {
      id: `jwt:${owner}`,
      kind: 'jwt',
      name: shownName(claims.preferred_username, claims.name, claims.sub),
      owner,
      grants: withOwn(grants, owner),
      expires: claims.exp * 1_000,
    };
  }
}

/** @throws CredentialRefused */
function headerOf(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw new CredentialRefused('its header is not JSON');
  }
}

/**
 * An ID token says to one page who somebody is; it is no right to anything. The audience tells most of them, this tells the rest:
 * those of providers that write the same audience into both. A token that is bound to a key of its holder (`cnf`) must not be taken
 * from whoever shows it.
 */
function refuseOtherTypes(type: unknown, claims: JWTPayload): void {
  if (type !== undefined && !(typeof type === 'string' && TYPES.includes(type.toLowerCase())))
    throw new CredentialRefused('its typ is not that of an access token');
  // Keycloak says what a token is in a claim: Bearer, ID, Refresh, Offline, Logout.
  const { typ } = claims;
  if (typ !== undefined && typ !== 'Bearer') throw new CredentialRefused('its claim typ is not Bearer');
  if (ID_TOKEN_CLAIMS.some((name) => Object.hasOwn(claims, name)))
    throw new CredentialRefused('it is an ID token');
  if (Object.hasOwn(claims, 'cnf')) throw new CredentialRefused('it is bound to a key of its holder');
}

/**
 * Undefined where no issuer is configured.
 * @throws CodedError `invalid_config` if the file of the secret cannot be read.
 */
export function jwtCheck(
  config: JwtConfig,
  store: Pick<AuthStore, 'roles'>,
  logger: Logger,
): JwtCheck | undefined {
  const { JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_FILE } = config;
  if (JWT_ISSUER === undefined || JWT_AUDIENCE === undefined) return undefined;
  const keys =
    JWT_JWKS_URL !== undefined
      ? new IssuerKeys(JWT_JWKS_URL)
      : new TextEncoder().encode(secretOf('JWT_SECRET', JWT_SECRET, JWT_SECRET_FILE, JWT_SECRET_BYTES));
  const options = {
    issuer: JWT_ISSUER,
    audience: JWT_AUDIENCE,
    keys,
    rolesClaim: config.JWT_ROLES_CLAIM,
    admin: config.JWT_ADMIN,
  };
  return new JwtCheck(options, rolesIn(store), logger);
}
