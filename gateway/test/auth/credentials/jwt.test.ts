// Tokens of an issuer: which are taken, with which rights, and that every broken kind is refused without a word of why.
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import { createLogger, type Logger } from '@llm-streamer/shared/logger.ts';
import { SignJWT, UnsecuredJWT } from 'jose';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { IssuerKeys } from '../../../src/auth/credentials/issuer-keys.ts';
import { JwtCheck, jwtCheck } from '../../../src/auth/credentials/jwt.ts';
import { rolesIn } from '../../../src/auth/rights/roles.ts';
import { jwtVariables } from '../../../src/auth/ways-config.ts';
import {
  AUDIENCE,
  CLAIMS,
  ISSUER,
  inSeconds,
  KeyServer,
  type SigningKey,
  sign,
  signingKey,
} from './key-server.ts';

const SILENT = createLogger('test', 'silent', true);
const WRITER = { read: [], publish: ['logs:ci*'], run: false, metrics: false, admin: false };
const store = { roles: async () => [{ name: 'writer', grants: WRITER }] };

const configOf = (variables: Record<string, string>) => z.object(jwtVariables).parse(variables);
const checkOf = (variables: Record<string, string> = {}, logger: Logger = SILENT) =>
  jwtCheck(
    configOf({ JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE, JWT_JWKS_URL: server.url, ...variables }),
    store,
    logger,
  ) as JwtCheck;

let server: KeyServer;
let key: SigningKey;
let rsa: SigningKey;
beforeAll(async () => {
  [key, rsa] = await Promise.all([signingKey('k1'), signingKey('r1', 'RS256')]);
});
beforeEach(async () => {
  server = await new KeyServer().listen();
  server.keys = [key.jwk, rsa.jwk];
});
afterEach(() => server.close());

describe('a token of the issuer', () => {
  it.each(['ES256', 'RS256', 'PS256', 'EdDSA'])('that is signed with %s is taken', async (alg) => {
    const other = await signingKey('other', alg);
    server.keys = [key.jwk, other.jwk];
    expect(await checkOf().principalOf(await sign(other))).toMatchObject({ kind: 'jwt', name: 'alice' });
  });

  it('becomes a principal that ends with it and owns what only this subject owns', async () => {
    const principal = await checkOf().principalOf(await sign(key, { exp: inSeconds(60) }));
    const owner = principal?.owner as string;
    expect(owner).toMatch(/^j-[a-z2-7]{20}$/);
    expect(principal).toEqual({
      id: `jwt:${owner}`,
      kind: 'jwt',
      name: 'alice',
      owner,
      grants: {
        read: [`runs:${owner}/*`, `conversations:${owner}/*`, `events:runs:${owner}`],
        publish: [],
        run: false,
        metrics: false,
        admin: false,
      },
      expires: expect.closeTo(Date.now() + 60_000, -4),
    });
    const bob = await checkOf().principalOf(await sign(key, { sub: 'bob' }));
    expect(bob?.owner).not.toBe(owner);
  });

  it('gives the grants that it holds in so many words', async () => {
    const llm_streamer = { read: ['logs:team-a*'], publish: ['logs:ci*'], run: true, metrics: true };
    const principal = await checkOf().principalOf(await sign(key, { llm_streamer }));
    expect(principal?.grants).toMatchObject({
      ...llm_streamer,
      read: expect.arrayContaining(['logs:team-a*']),
    });
    expect(principal?.grants.admin).toBe(false);
  });

  it.each([
    ['roles', { roles: ['viewer', 'writer', 'of-another-service', '__proto__'] }],
    ['realm_access.roles', { realm_access: { roles: ['viewer', 'writer'] } }],
    ['https://example.com/roles', { 'https://example.com/roles': ['writer', 'viewer'] }],
  ])('gives the grants of the roles in %s', async (JWT_ROLES_CLAIM, claims) => {
    const principal = await checkOf({ JWT_ROLES_CLAIM }).principalOf(await sign(key, claims));
    expect(principal?.grants).toMatchObject({ publish: ['logs:ci*'], metrics: true, admin: false });
    expect(principal?.grants.read).toContain('*');
  });

  it('makes nobody an admin, unless JWT_ADMIN says so', async () => {
    const named = await sign(key, { roles: ['admin'] });
    const granted = await sign(key, { llm_streamer: { admin: true } });
    const auditor = await sign(key, { llm_streamer: { read: ['audit:*'] } });
    const check = checkOf({ JWT_ROLES_CLAIM: 'roles' });
    expect((await check.principalOf(named))?.grants).toMatchObject({ admin: false, metrics: false });
    expect(await check.principalOf(granted)).toBeUndefined();
    expect(await check.principalOf(auditor)).toBeUndefined();
    const open = checkOf({ JWT_ROLES_CLAIM: 'roles', JWT_ADMIN: 'true' });
    for (const token of [named, granted]) expect((await open.principalOf(token))?.grants.admin).toBe(true);
    expect((await open.principalOf(auditor))?.grants.read).toContain('audit:*');
  });

  it('shows a name without what could turn a line around', async () => {
    const token = await sign(key, { preferred_username: ' \u202eecila\n\u0000 ', name: 'other' });
    expect((await checkOf().principalOf(token))?.name).toBe('ecila');
  });

  it('may name no key, and is then tried with each', async () => {
    const second = await signingKey('k2');
    server.keys = [key.jwk, second.jwk];
    expect(await checkOf().principalOf(await sign(second, {}, { kid: undefined }))).toBeDefined();
  });

  it.each(['JWT', 'at+jwt', 'application/at+jwt', 'AT+JWT'])('may have the type %s', async (typ) => {
    expect(await checkOf().principalOf(await sign(key, {}, { typ }))).toBeDefined();
  });

  it('whose clock is some seconds ahead is taken', async () => {
    expect(await checkOf().principalOf(await sign(key, { nbf: inSeconds(10) }))).toBeDefined();
  });
});

describe('7: refused is a token', () => {
  const broken: Record<string, () => Promise<string> | string> = {
    'without a signature (alg none)': () => new UnsecuredJWT(CLAIMS).encode(),
    'signed with the public key as a secret': async () => {
      const pem = createPublicKey({ key: rsa.jwk as JsonWebKey, format: 'jwk' }).export({
        type: 'spki',
        format: 'pem',
      });
      return new SignJWT(CLAIMS).setProtectedHeader({ alg: 'HS256', kid: 'r1' }).sign(Buffer.from(pem));
    },
    'of another key under a known name': async () => sign({ ...(await signingKey('k1')), kid: 'k1' }),
    'of a key that the issuer does not have': async () => sign(await signingKey('nobody')),
    'without exp': () => sign(key, { exp: undefined }),
    'without sub': () => sign(key, { sub: undefined }),
    'with an empty sub': () => sign(key, { sub: '' }),
    'with exp in milliseconds': () => sign(key, { exp: Date.now() + 3_600_000 }),
    'that has expired a second ago': () => sign(key, { exp: inSeconds(-1) }),
    'that is not valid yet': () => sign(key, { nbf: inSeconds(600) }),
    'for another audience': () => sign(key, { aud: 'billing' }),
    'without audience': () => sign(key, { aud: undefined }),
    'of another issuer': () => sign(key, { iss: 'https://id.example.com/realms/other' }),
    'without issuer': () => sign(key, { iss: undefined }),
    'that is an ID token by its nonce': () => sign(key, { nonce: 'n1' }),
    'that is an ID token by its at_hash': () => sign(key, { at_hash: 'x' }),
    'that is an ID token by its claim typ': () => sign(key, { typ: 'ID' }),
    'that is a refresh token': () => sign(key, { typ: 'Refresh' }),
    'that is a log-out token': () => sign(key, {}, { typ: 'logout+jwt' }),
    'with a type that is no text': () => sign(key, {}, { typ: 7 }),
    'bound to a key of its holder': () => sign(key, { cnf: { jkt: 'x' } }),
    'of 100 kB': () => sign(key, { padding: 'x'.repeat(100_000) }),
    'with a critical header that nobody knows': async () => {
      const [, payload] = (await sign(key)).split('.');
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 }));
      return `${header.toString('base64url')}.${payload}.${'A'.repeat(86)}`;
    },
    'whose claims were changed afterwards': async () => {
      const [header, , signature] = (await sign(key)).split('.');
      const claims = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'admin' })).toString('base64url');
      return `${header}.${claims}.${signature}`;
    },
    'of three parts that are nothing': () => 'aaaa.bbbb.cccc',
    'in five parts': async () => `${await sign(key)}.aa.bb`,
    'whose claims are a list': async () => {
      const [header, , signature] = (await sign(key)).split('.');
      return `${header}.${Buffer.from('[]').toString('base64url')}.${signature}`;
    },
  };
  const grants: Record<string, unknown> = {
    'a text': 'read',
    null: null,
    'a list': [],
    'read as a text': { read: '*' },
    'a pattern that is none': { read: ['logs:*', 'two words'] },
    'a pattern with a control character': { read: ['logs\n*'] },
    'too many stars': { read: ['*a*b*c*d*'] },
    'a number among patterns': { publish: [7] },
    'run as a text': { run: 'true' },
    'metrics as a number': { metrics: 1 },
    'a right that does not exist': { read: ['logs'], write: ['logs'] },
    'a right named __proto__': JSON.parse('{"read":["logs"],"__proto__":{"admin":true}}'),
    '51 patterns': { read: Array.from({ length: 51 }, (_, i) => `logs:${i}`) },
  };
  for (const [what, claim] of Object.entries(grants))
    broken[`whose grants hold ${what}`] = () => sign(key, { llm_streamer: claim });
  for (const [what, claim] of Object.entries({
    'a number': 7,
    'an object': { viewer: true },
    'a list of numbers': [1],
  }))
    broken[`whose roles are ${what}`] = () => sign(key, { roles: claim });

  it.each(Object.entries(broken))('%s', async (_, make) => {
    const token = await make();
    expect(await checkOf({ JWT_ROLES_CLAIM: 'roles' }).principalOf(token)).toBeUndefined();
    // It fails for that reason alone.
    expect(await checkOf({ JWT_ROLES_CLAIM: 'roles' }).principalOf(await sign(key))).toBeDefined();
  });

  it('that expires between two requests', async () => {
    let now = Date.now();
    const options = {
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: new IssuerKeys(server.url),
      rolesClaim: undefined,
      admin: false,
    };
    const check = new JwtCheck(options, rolesIn(store), SILENT, () => now);
    const token = await sign(key, { exp: inSeconds(60) });
    expect(await check.principalOf(token)).toBeDefined();
    now += 60_001;
    expect(await check.principalOf(token)).toBeUndefined();
  });

  it('and the operator, he alone, reads why, without any of its text', async () => {
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const token = await sign(key, { aud: 'billing', sub: 'secret-subject' });
    expect(await checkOf({}, logger as Logger).principalOf(token)).toBeUndefined();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      reason: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      msg: 'a token was refused',
    });
    for (const part of [...token.split('.'), 'secret-subject', 'billing'])
      expect(lines[0]).not.toContain(part);
  });
});

describe('with a secret', () => {
  const secret = 's'.repeat(32);
  const withSecret = (more: Record<string, string> = { JWT_SECRET: secret }) =>
    jwtCheck(configOf({ JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE, ...more }), store, SILENT) as JwtCheck;
  const hmac = (by: string, alg = 'HS256') =>
    new SignJWT(CLAIMS).setProtectedHeader({ alg }).sign(new TextEncoder().encode(by));
  const folder = mkdtempSync(join(tmpdir(), 'jwt-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['HS256', 'HS384', 'HS512'])('tokens of %s are taken', async (alg) => {
    expect(await withSecret().principalOf(await hmac(secret, alg))).toMatchObject({ kind: 'jwt' });
  });

  it('tokens of another secret, and of a private key, are refused', async () => {
    expect(await withSecret().principalOf(await hmac('t'.repeat(32)))).toBeUndefined();
    expect(await withSecret().principalOf(await sign(key))).toBeUndefined();
    expect(await withSecret().principalOf(await hmac(secret))).toBeDefined();
  });

  it('it may stand in a file, whose last line break does not count', async () => {
    const path = join(folder, 'secret');
    writeFileSync(path, `${secret}\n`);
    expect(await withSecret({ JWT_SECRET_FILE: path }).principalOf(await hmac(secret))).toBeDefined();
  });

  it('a short one, and a file that is missing or short, stop the start', () => {
    expect(z.object(jwtVariables).safeParse({ JWT_SECRET: 's'.repeat(31) }).success).toBe(false);
    const path = join(folder, 'short');
    writeFileSync(path, 'short\n');
    for (const file of [path, join(folder, 'missing'), folder])
      expect(() => withSecret({ JWT_SECRET_FILE: file })).toThrow(CodedError);
  });
});

describe('8: while the issuer is away', () => {
  const endless: RequestListener = (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(' '.repeat(65_536)));
    };
    response.on('drain', more);
    more();
  };
  const answers: [string, RequestListener][] = [
    ['closes connections', (_, response) => void response.destroy()],
    ['answers 500', (_, response) => void response.writeHead(500).end()],
    ['answers with a page', (_, response) => void response.end('<html>')],
    ['sends elsewhere', (_, response) => void response.writeHead(302, { location: '/' }).end()],
    ['answers without end', endless],
  ];

  it.each(answers)('and %s, a token that needs its keys is judged neither way', async (_, answer) => {
    server.instead = answer;
    await expect(checkOf().principalOf(await sign(key))).rejects.toThrow(BrokerUnavailable);
  });

  it('a token that no key could make good is refused all the same', async () => {
    server.instead = (_, response) => void response.writeHead(500).end();
    const check = checkOf();
    expect(await check.principalOf(await sign(key, { iss: 'https://other.example.com' }))).toBeUndefined();
    expect(await check.principalOf(new UnsecuredJWT(CLAIMS).encode())).toBeUndefined();
    expect(server.asked).toBe(0);
  });
});

it('ten thousand reconnects with one token verify it once, and what is remembered is bounded', async () => {
  const check = checkOf();
  const token = await sign(key);
  const principals = await Promise.all(Array.from({ length: 10_000 }, () => check.principalOf(token)));
  expect(principals.every((principal) => principal?.name === 'alice')).toBe(true);
  expect(check.remembered).toBe(1);
  await Promise.all(
    Array.from({ length: 20 }, async () => check.principalOf(await sign(await signingKey('x')))),
  );
  expect(check.remembered).toBe(1);
});
