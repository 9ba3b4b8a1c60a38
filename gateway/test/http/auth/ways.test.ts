// Tokens of an issuer and headers of a proxy, through the whole gateway.
import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  AUDIENCE,
  ISSUER,
  inSeconds,
  KeyServer,
  sign,
  signingKey,
} from '../../auth/credentials/key-server.ts';
import { openAuthGateway } from '../auth-gateway.ts';
import { problem, serve } from '../run-gateway.ts';

const SECRET = 'a secret of thirty-two bytes, or more';
const JWT = { AUTH: 'on', JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };

const token = (claims: object = {}, secret = SECRET) =>
  new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ci', exp: inSeconds(60), ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
const profile = (url: string, bearer: string) =>
  fetch(`${url}/auth/profile`, { headers: { authorization: `Bearer ${bearer}` } });

describe('a token', () => {
  it('may what it grants, and nothing else', async () => {
    const { url } = await serve({ ...JWT, JWT_SECRET: SECRET });
    const bearer = await token({ llm_streamer: { read: ['logs:ci*'], publish: ['logs:ci*'] } });
    expect(await (await profile(url, bearer)).json()).toMatchObject({ kind: 'jwt', name: 'ci' });
    const publish = (channel: string) =>
      fetch(`${url}/api/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        body: JSON.stringify({ channel, msg: 'built' }),
      });
    expect((await publish('logs:ci-7')).status).toBeLessThan(300);
    expect((await publish('logs:other')).status).toBe(403);
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${bearer}` } });
    expect((await problem(metrics)).code).toBe('forbidden');
  });

  it('7: that is refused is answered with the same words, whatever is wrong with it', async () => {
    const { url } = await serve({ ...JWT, JWT_SECRET: SECRET });
    const broken = [
      await token({ exp: inSeconds(-10) }),
      await token({ aud: 'billing' }),
      await token({ llm_streamer: { read: 'all' } }),
      await token({ nonce: 'of an ID token' }),
      await token({}, 'another secret of thirty-two bytes'),
      'aaaa.bbbb.cccc',
    ];
    const answers = await Promise.all(
      broken.map(async (bearer) => {
        const answer = await profile(url, bearer);
        return { status: answer.status, detail: (await problem(answer)).detail };
      }),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
    expect((await profile(url, await token({ padding: 'x'.repeat(40_000) }))).status).toBe(401);
    expect((await profile(url, await token({ padding: 'x'.repeat(100_000) }))).status).toBe(431);
  });

  it('7: signed otherwise, for others or for longer than it says opens no route of a gateway that trusts an issuer', async () => {
    const issuer = await new KeyServer().listen();
    const key = await signingKey('k1', 'RS256');
    issuer.keys = [key.jwk];
    const { url } = await serve({ ...JWT, JWT_JWKS_URL: issuer.url });
    const grants = { llm_streamer: { read: ['*'] } };
    const good = await sign(key, grants);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const publicPem = createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' });
    const asSecret = publicPem.export({ type: 'spki', format: 'pem' }).toString();
    const confused = `${encode({ alg: 'HS256', kid: 'k1' })}.${payload}`;
    const attacks = {
      'alg none': `${encode({ alg: 'none' })}.${payload}.`,
      'the public key as a secret': `${confused}.${createHmac('sha256', asSecret).update(confused).digest('base64url')}`,
      'a key of the same name': await sign(await signingKey('k1', 'RS256'), grants),
      'an unknown key': await sign(await signingKey('k2', 'RS256'), grants),
      'another payload': `${header}.${encode({ ...grants, iss: ISSUER, aud: AUDIENCE, sub: 'x', exp: inSeconds(60) })}.${signature}`,
      'no signature': `${header}.${payload}.`,
      'no end': await sign(key, { ...grants, exp: undefined }),
      'an end in milliseconds': await sign(key, { ...grants, exp: Date.now() }),
      'not yet': await sign(key, { ...grants, nbf: inSeconds(600) }),
      'for others': await sign(key, { ...grants, aud: 'billing' }),
      'of others': await sign(key, { ...grants, iss: 'https://evil.example.com' }),
      'an ID token': await sign(key, { ...grants, nonce: 'x' }),
      'grants of another type': await sign(key, { llm_streamer: { read: [['*']] } }),
      'one grant that is none': await sign(key, { llm_streamer: { read: ['logs', 'two words'] } }),
    };
    for (const path of ['/stream', '/api/entries', '/api/channels', '/api/runs', '/auth/profile']) {
      const ask = (token: string) =>
        fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      const answer = await ask(good);
      expect(`${path} ${answer.status}`).toBe(`${path} 200`);
      await answer.body?.cancel();
      // 429 comes after a token was found invalid, too: there were many from this address.
      for (const [what, token] of Object.entries(attacks)) {
        const { status } = await ask(token);
        expect([what, [401, 429].includes(status)]).toEqual([what, true]);
      }
    }
    await issuer.close();
  });

  it('8: that cannot be judged is 503, and not 401', async () => {
    const server = await new KeyServer().listen();
    server.instead = (_, response) => void response.writeHead(500).end();
    const { url } = await serve({ ...JWT, JWT_JWKS_URL: server.url });
    const away = await profile(url, await sign(await signingKey('k1')));
    expect([away.status, (await problem(away)).code]).toEqual([503, 'broker_unavailable']);
    await server.close();
  });
});

it('33: headers of a proxy are believed from the proxy, and refused from anybody else', async () => {
  const variables = {
    AUTH: 'on',
    AUTH_PROXY_HEADER: 'Remote-User',
    AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
    AUTH_PROXY_ROLES: 'ops=admin',
  };
  const headers = { 'remote-user': 'alice', 'remote-groups': 'ops' };
  const near = await serve({ ...variables, TRUST_PROXY: '127.0.0.1' });
  const known = await fetch(`${near.url}/auth/profile`, { headers });
  expect(await known.json()).toMatchObject({ kind: 'user', name: 'alice', grants: { admin: true } });
  const far = await serve({ ...variables, TRUST_PROXY: '10.0.0.0/8' });
  const forged = { ...headers, 'x-forwarded-for': '10.0.0.1' };
  const refused = await fetch(`${far.url}/auth/profile`, { headers: forged });
  expect([refused.status, (await problem(refused)).code]).toEqual([401, 'unauthorized']);
});

it('somebody whom a proxy names has the roles of his groups, and not that of the record of his name', async () => {
  const gateway = await openAuthGateway({
    TRUST_PROXY: 'loopback',
    AUTH_PROXY_HEADER: 'Remote-User',
    AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
    AUTH_PROXY_ROLES: 'staff=viewer',
  });
  onTestFinished(() => gateway.close());
  const headers = { 'remote-user': 'alice', 'remote-groups': 'staff' };
  const { body } = await gateway.browser().ask('/auth/profile', { headers });
  expect(body).toMatchObject({ kind: 'user', owner: 'alice', grants: { run: false } });
  expect(body).not.toHaveProperty('role');
});
