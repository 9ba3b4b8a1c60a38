// The keys of an issuer: asked for rarely, whatever tokens arrive, changed when the issuer changes them, and good for a while when
// it is away.
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { IssuerKeys } from '../../../src/auth/credentials/issuer-keys.ts';
import { JwtCheck } from '../../../src/auth/credentials/jwt.ts';
import type { Principal } from '../../../src/auth/principal.ts';
import { type Renew, renewalOf } from '../../../src/auth/renewal.ts';
import { AUDIENCE, ISSUER, KeyServer, type SigningKey, sign, signingKey } from './key-server.ts';

const MINUTE_MS = 60_000;

let server: KeyServer;
let old: SigningKey;
let next: SigningKey;
let now: number;
let keys: IssuerKeys;
let check: JwtCheck;
beforeAll(async () => {
  [old, next] = await Promise.all([signingKey('old'), signingKey('next')]);
});
beforeEach(async () => {
  server = await new KeyServer().listen();
  server.keys = [old.jwk];
  now = Date.now();
  use(new IssuerKeys(server.url, { now: () => now }));
});
afterEach(async () => {
  keys.close();
  await server.close();
});

function use(some: IssuerKeys): void {
  keys = some;
  const options = { issuer: ISSUER, audience: AUDIENCE, keys, rolesClaim: undefined, admin: false };
  check = new JwtCheck(
    options,
    async () => new Map(),
    createLogger('test', 'silent', true),
    () => now,
  );
}

const tokenOf = (key: SigningKey) => sign(key, { exp: Math.floor(now / 1_000) + 7 * 86_400 });

describe('8: the issuer', () => {
  it('is not asked before the first token', () => {
    expect(server.asked).toBe(0);
  });

  it('is asked once for ten thousand tokens of unknown keys', async () => {
    expect(await check.principalOf(await tokenOf(old))).toBeDefined();
    expect(server.asked).toBe(1);
    now += 31_000;
    const [, payload, signature] = (await tokenOf(old)).split('.');
    for (let i = 0; i < 10_000; i++) {
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: `k${i}` })).toString('base64url');
      expect(await check.principalOf(`${header}.${payload}.${signature}`)).toBeUndefined();
    }
    expect(server.asked).toBe(2);
  });

  it('is asked once in 30 seconds while it is away, too, by whatever tokens', async () => {
    server.instead = (_, response) => void response.writeHead(503).end();
    for (let i = 0; i < 100; i++)
      await expect(check.principalOf(await tokenOf(old))).rejects.toThrow(BrokerUnavailable);
    expect(server.asked).toBe(1);
    server.instead = undefined;
    now += 30_000;
    expect(await check.principalOf(await tokenOf(old))).toBeDefined();
    expect(server.asked).toBe(2);
  });

  it('that is slow is waited for by all together, and not for ever', async () => {
    server.instead = () => {};
    use(new IssuerKeys(server.url, { now: () => now, timeoutMs: 100 }));
    const token = await tokenOf(old);
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => check.principalOf(token)));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(server.asked).toBe(1);
  });

  it('may add a key, which is taken at once', async () => {
    expect(await check.principalOf(await tokenOf(old))).toBeDefined();
    now += 31_000;
    server.keys = [old.jwk, next.jwk];
    expect(await check.principalOf(await tokenOf(next))).toBeDefined();
    expect(await check.principalOf(await tokenOf(old))).toBeDefined();
    expect(server.asked).toBe(2);
  });

  it('may remove a key, and a token that was verified with it is refused, too', async () => {
    const token = await tokenOf(old);
    expect(await check.principalOf(token)).toBeDefined();
    server.keys = [next.jwk];
    now += 2 * MINUTE_MS + 1;
    expect(await check.principalOf(token)).toBeUndefined();
  });

  it('is asked once a minute as long as nobody shows a token, and tells that a key is gone, but not that one is new', async () => {
    use(new IssuerKeys(server.url, { now: () => now, freshMs: 10 }));
    const principal = (await check.principalOf(await tokenOf(old))) as Principal;
    const renew = renewalOf(principal) as Renew;
    let gone = 0;
    check.onKeysGone(() => gone++);
    server.keys = [next.jwk, old.jwk];
    const before = server.asked;
    await eventually('the new key is known', () => server.asked > before + 2);
    expect(gone).toBe(0);
    expect(await renew()).toEqual(principal);
    server.keys = [next.jwk];
    await eventually('the key is gone', () => gone > 0);
    expect(await renew()).toBeUndefined();
  });

  it('that is away for more than a day takes its keys with it', async () => {
    use(new IssuerKeys(server.url, { now: () => now, freshMs: 10 }));
    const principal = (await check.principalOf(await tokenOf(old))) as Principal;
    const gone = Promise.withResolvers<void>();
    check.onKeysGone(gone.resolve);
    server.instead = (_, response) => void response.writeHead(503).end();
    now += 25 * 60 * MINUTE_MS;
    await gone.promise;
    await expect(renewalOf(principal)?.()).rejects.toThrow(BrokerUnavailable);
  });

  it('may be away for a day, as far as its known keys go', async () => {
    const token = await tokenOf(old);
    expect(await check.principalOf(token)).toBeDefined();
    server.instead = (_, response) => void response.writeHead(503).end();
    now += 23 * 60 * MINUTE_MS;
    expect(await check.principalOf(token)).toBeDefined();
    await expect(check.principalOf(await tokenOf(next))).rejects.toThrow(BrokerUnavailable);
    now += 2 * 60 * MINUTE_MS;
    await expect(check.principalOf(token)).rejects.toThrow(BrokerUnavailable);
  });

  it('is asked again after a minute, and nobody waits for it', async () => {
    const token = await tokenOf(old);
    expect(await check.principalOf(token)).toBeDefined();
    now += 1.5 * MINUTE_MS;
    const asked = new Promise<void>((resolve) => {
      server.instead = () => resolve(); // it never answers
    });
    expect(await check.principalOf(token)).toBeDefined();
    await asked;
  });
});

it('private keys and secrets in the set of the issuer are not used', async () => {
  server.keys = [{ kty: 'oct', k: 'c2VjcmV0', kid: 'old', alg: 'HS256' }];
  expect(await keys.candidates({ alg: 'ES256', kid: 'old' })).toEqual([]);
});
