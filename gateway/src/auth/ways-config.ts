// The variables of the ways in that others vouch for: tokens of an issuer, an identity provider, headers of a proxy. What does not
// fit together stops the start: half a setting must never become an open door.

import { about, flag, list } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { isLoopback } from './loopback.ts';
import { isName } from './names.ts';

/** HMAC with a shorter secret can be guessed from one token, without asking the gateway. */
export const JWT_SECRET_BYTES = 32;
/** What is sealed with it stands in browsers, and could be tried against guesses there. */
export const CLIENT_SECRET_BYTES = 16;

const URL_RULE = 'must be a URL like https://id.example.com/realms/team, without user, password, query and #';
const HTTPS_RULE = `${URL_RULE}; http only for this machine`;
const GROUPS_RULE = 'must look like developers=member,ops=admin: a group, = and a role, separated by commas';
const HEADER_RULE = 'must be the name of a header like Remote-User: letters, digits and -';

const url = (fits: (url: URL) => boolean, rule: string) =>
  z.string().refine((text) => {
    const parsed = URL.parse(text);
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || /[?#\s]/.test(text)) return false;
    return parsed.username === '' && parsed.password === '' && fits(parsed);
  }, rule);

const secret = (bytes: number) =>
  z
    .string()
    .refine((text) => Buffer.byteLength(text) >= bytes, `must have at least ${bytes} bytes`)
    .optional();
const file = () => z.string().optional();
const claim = () => z.string().regex(/^[^\s\p{Cc}]{1,200}$/u, 'must be the name of a claim, without spaces');
const header = () => z.string().regex(/^[A-Za-z0-9-]{1,64}$/, HEADER_RULE);

/** `developers=member`: groups may hold a `=`, roles do not. */
const GROUP_ROLE = /^(.+)=([^=]+)$/;
const groupRoles = () =>
  list('', GROUPS_RULE, (items) => items.every((item) => isName(GROUP_ROLE.exec(item)?.[2] ?? '')));

/** The roles of each group: `ops=admin,ops=member` gives it two. */
export function rolesByGroup(items: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const roles = new Map<string, string[]>();
  for (const item of items) {
    const [, group = '', role = ''] = GROUP_ROLE.exec(item) ?? [];
    roles.set(group, [...(roles.get(group) ?? []), role]);
  }
  return roles;
}

/** Tokens that somebody else signs. */
export const jwtVariables = {
  JWT_ISSUER: about(
    z
      .string()
      .regex(/^\S{1,1000}$/, 'must be the text that the tokens hold as iss')
      .optional(),
    'Who signs the tokens that are taken as `Authorization: Bearer`: the text of their claim `iss`, letter for letter. Without it no JWT is taken.',
  ),
  JWT_AUDIENCE: about(
    z
      .string()
      .regex(/^\S{1,1000}$/, 'must be the text that the tokens hold as aud')
      .optional(),
    'For whom the tokens must be made: a text of their claim `aud`. Needed with `JWT_ISSUER`, since tokens for other services must not open this one. It must not be the client id of a sign-in page.',
  ),
  JWT_JWKS_URL: about(
    url(() => true, URL_RULE).optional(),
    "Where the issuer's public keys are (a JWK set). They are fetched again once a minute, and when a token names an unknown key. Whoever can change what is answered there can be anybody: use `https`.",
  ),
  JWT_SECRET: about(
    secret(JWT_SECRET_BYTES),
    'Instead of `JWT_JWKS_URL`: the secret that the issuer signs with (HS256, HS384, HS512).',
  ),
  JWT_SECRET_FILE: about(file(), 'Instead of `JWT_SECRET`: a file that holds it.'),
  JWT_ROLES_CLAIM: about(
    claim().optional(),
    'The claim with the names of roles, such as `roles`, or `realm_access.roles` for one inside another. Names that are no roles here are ignored. Besides it, or instead of it, a token may hold grants: see [tokens of an issuer](http-api.md#tokens-of-an-issuer).',
  ),
  JWT_ADMIN: about(
    flag(false),
    '`true` takes the right `admin` from tokens. Otherwise the role `admin` of a token is ignored, and a token that grants it in so many words is refused.',
  ),
};

/** Sign-in with an identity provider. */
export const oidcVariables = {
  OIDC_ISSUER: about(
    url((issuer) => issuer.protocol === 'https:' || isLoopback(issuer.hostname), HTTPS_RULE).optional(),
    'The identity provider where people can sign in, by OpenID Connect; `/.well-known/openid-configuration` is found under it. Register `/auth/oidc/callback` under `PUBLIC_URL` there. Without it there is none.',
  ),
  OIDC_CLIENT_ID: about(
    z
      .string()
      .regex(/^\S{1,500}$/, 'must be one word')
      .optional(),
    'The name of the gateway at the identity provider.',
  ),
  OIDC_CLIENT_SECRET: about(
    secret(CLIENT_SECRET_BYTES),
    'The secret of the gateway at the identity provider. All gateways behind one address need the same.',
  ),
  OIDC_CLIENT_SECRET_FILE: about(file(), 'Instead of `OIDC_CLIENT_SECRET`: a file that holds it.'),
  OIDC_GROUPS_CLAIM: about(
    claim().default('groups'),
    'The claim with the groups of a person. A scope of this name is asked for if the provider has one. `email` works, too, where the provider has verified it.',
  ),
  OIDC_ROLES: about(
    groupRoles(),
    'The roles of groups. Nobody comes in who is in none of them; who is in several may do what any of them may.',
  ),
  OIDC_NAME: about(
    z
      .string()
      .regex(/^[^\p{Cc}]{1,60}$/u, 'must be 1 to 60 characters')
      .default('single sign-on'),
    'What the button of the page says after “Sign in with”.',
  ),
};

/** A proxy that has signed people in. */
export const proxyVariables = {
  AUTH_PROXY_HEADER: about(
    header().optional(),
    'The header in which a proxy says who has signed in, such as `Remote-User`. It is believed from the addresses of `TRUST_PROXY` alone; from anywhere else it is refused. The proxy must remove what clients send under this name.',
  ),
  AUTH_PROXY_GROUPS_HEADER: about(
    header().optional(),
    'The header in which that proxy names the groups of the person, separated by `,` or `|`, such as `Remote-Groups`. Without it in a request, the person has no role.',
  ),
  AUTH_PROXY_ROLES: about(groupRoles(), 'The roles of these groups.'),
};

export const waysVariables = { ...jwtVariables, ...oidcVariables, ...proxyVariables };

export type WaysConfig = z.output<z.ZodObject<typeof waysVariables>>;
export type JwtConfig = z.output<z.ZodObject<typeof jwtVariables>>;
export type OidcConfig = z.output<z.ZodObject<typeof oidcVariables>>;
export type ProxyConfig = z.output<z.ZodObject<typeof proxyVariables>>;

/** What the rules about several variables look at, besides their own. */
export interface OtherSettings {
  AUTH?: string | undefined;
  PUBLIC_URL?: string | undefined;
  TRUST_PROXY: string;
}

/** @throws CodedError `invalid_config` with a line for each rule that is broken. */
export function refuseHalfWays(config: Readonly<WaysConfig & OtherSettings>): void {
  const lines = [...jwtComplaints(config), ...oidcComplaints(config), ...proxyComplaints(config)];
  const way = (['JWT_ISSUER', 'OIDC_ISSUER', 'AUTH_PROXY_HEADER'] as const).find((name) =>
    isSet(config, name),
  );
  // On loopback AUTH is off unless something is said, and nobody who configures a way in expects that.
  if (way !== undefined && config.AUTH === undefined)
    lines.push(`AUTH: ${way} is set; set AUTH=on, or AUTH=off if everybody may read and write everything`);
  if (lines.length > 0) throw new CodedError('invalid_config', lines.join('\n'));
}

type Settings = Readonly<WaysConfig & OtherSettings>;

function isSet(config: Settings, name: keyof Settings): boolean {
  const value = config[name];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '';
}

/** A line if there is not exactly one of these. */
function oneOf(config: Settings, first: keyof Settings, names: readonly (keyof Settings)[]): string[] {
  const given = names.filter((name) => isSet(config, name));
  if (given.length === 1) return [];
  return [`${first}: needs one of ${names.join(', ')}${given.length === 0 ? '' : ', and not several'}`];
}

/** A line for each of `names` that is set though `first` is not, or the other way round. */
function together(
  config: Settings,
  first: keyof Settings,
  needed: readonly (keyof Settings)[],
  also: readonly (keyof Settings)[] = [],
): string[] {
  if (!isSet(config, first))
    return [...needed, ...also]
      .filter((name) => isSet(config, name))
      .map((name) => `${name}: needs ${first}`);
  return needed.filter((name) => !isSet(config, name)).map((name) => `${first}: needs ${name}`);
}

function jwtComplaints(config: Settings): string[] {
  const keys = ['JWT_JWKS_URL', 'JWT_SECRET', 'JWT_SECRET_FILE'] as const;
  const lines = together(config, 'JWT_ISSUER', ['JWT_AUDIENCE'], [...keys, 'JWT_ROLES_CLAIM']);
  if (config.JWT_ISSUER === undefined)
    return config.JWT_ADMIN ? [...lines, 'JWT_ADMIN: needs JWT_ISSUER'] : lines;
  lines.push(...oneOf(config, 'JWT_ISSUER', keys));
  // The provider writes the client id as `aud` into each ID token. Such a token says who somebody is, to one page; whoever gets
  // hold of it, for example a log of that page, could use it here.
  if (config.JWT_AUDIENCE !== undefined && config.JWT_AUDIENCE === config.OIDC_CLIENT_ID)
    lines.push('JWT_AUDIENCE: must not be OIDC_CLIENT_ID, or ID tokens would be taken for access tokens');
  return lines;
}

function oidcComplaints(config: Settings): string[] {
  const secrets = ['OIDC_CLIENT_SECRET', 'OIDC_CLIENT_SECRET_FILE'] as const;
  const lines = together(config, 'OIDC_ISSUER', ['OIDC_CLIENT_ID', 'OIDC_ROLES'], secrets);
  if (config.OIDC_ISSUER === undefined) return lines;
  if (config.PUBLIC_URL === undefined)
    lines.push('OIDC_ISSUER: needs PUBLIC_URL, to which it sends people back');
  return [...lines, ...oneOf(config, 'OIDC_ISSUER', secrets)];
}

function proxyComplaints(config: Settings): string[] {
  const lines = together(config, 'AUTH_PROXY_HEADER', ['AUTH_PROXY_GROUPS_HEADER', 'AUTH_PROXY_ROLES']);
  if (config.AUTH_PROXY_HEADER === undefined) return lines;
  if (['', 'true', 'false'].includes(config.TRUST_PROXY))
    lines.push(
      'AUTH_PROXY_HEADER: needs TRUST_PROXY with the addresses of the proxy; anybody else could send the header',
    );
  if (config.AUTH_PROXY_HEADER.toLowerCase() === config.AUTH_PROXY_GROUPS_HEADER?.toLowerCase())
    lines.push('AUTH_PROXY_GROUPS_HEADER: must not be AUTH_PROXY_HEADER');
  return lines;
}
