// The variables of ways in that others vouch for: half a setting stops the start, with one line that says what is missing.
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { expect, it } from 'vitest';
import { rolesByGroup } from '../../src/auth/ways-config.ts';
import { readGatewayConfig } from '../../src/config.ts';

const JWT = {
  AUTH: 'on',
  JWT_ISSUER: 'https://id.example.com',
  JWT_AUDIENCE: 'logs',
  JWT_JWKS_URL: 'https://id.example.com/keys',
};
const OIDC = {
  AUTH: 'on',
  PUBLIC_URL: 'https://logs.example.com',
  OIDC_ISSUER: 'https://id.example.com',
  OIDC_CLIENT_ID: 'streamer',
  OIDC_CLIENT_SECRET: 'a secret of the provider',
  OIDC_ROLES: 'ops=admin',
};
const PROXY = {
  AUTH: 'on',
  TRUST_PROXY: '10.0.0.0/8',
  AUTH_PROXY_HEADER: 'Remote-User',
  AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
  AUTH_PROXY_ROLES: 'ops=admin',
};

it.each([{}, JWT, OIDC, PROXY, { ...JWT, ...OIDC, ...PROXY }])(
  'what fits together is taken: %o',
  (variables) => {
    expect(() => readGatewayConfig(variables)).not.toThrow();
  },
);

const refused: [Record<string, string>, string][] = [
  [
    { ...JWT, AUTH: '' },
    'AUTH: JWT_ISSUER is set; set AUTH=on, or AUTH=off if everybody may read and write everything',
  ],
  [{ ...JWT, JWT_AUDIENCE: '' }, 'JWT_ISSUER: needs JWT_AUDIENCE'],
  [{ ...JWT, JWT_ISSUER: '' }, 'JWT_AUDIENCE: needs JWT_ISSUER\nJWT_JWKS_URL: needs JWT_ISSUER'],
  [{ JWT_SECRET: 's'.repeat(32) }, 'JWT_SECRET: needs JWT_ISSUER'],
  [{ JWT_ADMIN: 'true' }, 'JWT_ADMIN: needs JWT_ISSUER'],
  [{ ...JWT, JWT_JWKS_URL: '' }, 'JWT_ISSUER: needs one of JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_FILE'],
  [
    { ...JWT, JWT_SECRET: 's'.repeat(32) },
    'JWT_ISSUER: needs one of JWT_JWKS_URL, JWT_SECRET, JWT_SECRET_FILE, and not several',
  ],
  [{ ...JWT, JWT_SECRET: 'short' }, 'JWT_SECRET: must have at least 32 bytes'],
  [
    { ...JWT, ...OIDC, JWT_AUDIENCE: 'streamer' },
    'JWT_AUDIENCE: must not be OIDC_CLIENT_ID, or ID tokens would be taken for access tokens',
  ],
  [
    { ...JWT, JWT_JWKS_URL: 'https://user:word@id.example.com/keys' },
    'JWT_JWKS_URL: must be a URL like https://id.example.com/realms/team, without user, password, query and #',
  ],
  [{ ...OIDC, PUBLIC_URL: '' }, 'OIDC_ISSUER: needs PUBLIC_URL, to which it sends people back'],
  [{ ...OIDC, OIDC_ROLES: '' }, 'OIDC_ISSUER: needs OIDC_ROLES'],
  [
    { ...OIDC, OIDC_CLIENT_SECRET: '' },
    'OIDC_ISSUER: needs one of OIDC_CLIENT_SECRET, OIDC_CLIENT_SECRET_FILE',
  ],
  [
    { ...OIDC, OIDC_ISSUER: 'http://id.example.com' },
    'OIDC_ISSUER is "http://id.example.com": must be a URL like https://id.example.com/realms/team, without user, password, query and #; http only for this machine',
  ],
  [
    { ...OIDC, OIDC_ROLES: 'ops' },
    'OIDC_ROLES is "ops": must look like developers=member,ops=admin: a group, = and a role, separated by commas',
  ],
  ...['true', 'false', ''].map((TRUST_PROXY): [Record<string, string>, string] => [
    { ...PROXY, TRUST_PROXY },
    'AUTH_PROXY_HEADER: needs TRUST_PROXY with the addresses of the proxy; anybody else could send the header',
  ]),
  [{ ...PROXY, AUTH_PROXY_GROUPS_HEADER: '' }, 'AUTH_PROXY_HEADER: needs AUTH_PROXY_GROUPS_HEADER'],
  [
    { ...PROXY, AUTH_PROXY_HEADER: 'Remote_User' },
    'AUTH_PROXY_HEADER is "Remote_User": must be the name of a header like Remote-User: letters, digits and -',
  ],
  [
    { ...PROXY, AUTH_PROXY_GROUPS_HEADER: 'remote-user' },
    'AUTH_PROXY_GROUPS_HEADER: must not be AUTH_PROXY_HEADER',
  ],
];

it.each(refused)('%o stops the start', (variables, line) => {
  let message = '';
  try {
    readGatewayConfig(variables);
  } catch (error) {
    message = error instanceof CodedError ? error.message : 'another error';
  }
  expect(message).toBe(line);
});

it('a group may hold a = and have several roles', () => {
  expect(rolesByGroup(['cn=ops=admin', 'cn=ops=viewer', '__proto__=member'])).toEqual(
    new Map([
      ['cn=ops', ['admin', 'viewer']],
      ['__proto__', ['member']],
    ]),
  );
});
