// Attacks on those who sign in: from other pages, by planted cookies, by guessing, and by asking for more than one may have.

import { connect } from 'node:net';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { MemoryAttempts } from '../../../src/auth/attempt-counter.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import { Passwords } from '../../../src/auth/sign-in/passwords.ts';
import { SignIn } from '../../../src/auth/sign-in/sign-in.ts';
import { Throttle } from '../../../src/auth/throttle.ts';
import { type AuthGateway, Browser, openAuthGateway, PASSWORD } from '../../http/auth-gateway.ts';

let gateway: AuthGateway;
const others: AuthGateway[] = [];
afterEach(async () => {
  for (const one of [gateway, ...others.splice(0)]) await one.close();
});

describe('34: a page of another site', () => {
  const key = { name: 'stolen', read: ['*'] };

  it.each<[string, Record<string, string>]>([
    ['from another port', { origin: 'http://127.0.0.1:1' }],
    ['from another scheme, without a proxy', { origin: 'https://127.0.0.1:{port}' }],
    ['from another scheme', { origin: 'https://127.0.0.1:{port}', 'x-forwarded-proto': 'http' }],
    ['from a sandboxed frame or a form', { origin: 'null' }],
    ['without an origin', {}],
    [
      'that says it is of the same site only',
      { origin: 'http://127.0.0.1:{port}', 'sec-fetch-site': 'same-site' },
    ],
    ['that is opened by a link', { 'sec-fetch-site': 'none' }],
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('changes nothing with the cookie of a visitor %s', async (_name, headers) => {
    gateway = await openAuthGateway({ CORS_ORIGINS: '*' });
    const alice = await gateway.signedIn('alice');
    alice.headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('{port}', `${gateway.port}`)]),
    );
    for (const [method, path, body] of [
      ['POST', '/api/keys', key],
      ['POST', '/auth/token', {}],
      ['POST', '/auth/logout', undefined],
      ['DELETE', '/auth/sessions', undefined],
      ['POST', '/api/publish', { channel: 'logs', msg: 'forged' }],
    ] as const)
      expect(await alice.ask(path, { method, body })).toMatchObject({ status: 403, body: { code: 'csrf' } });
    alice.headers = { origin: new URL(gateway.url).origin };
    expect((await alice.ask('/auth/sessions')).body.sessions).toHaveLength(1);
    expect((await alice.ask('/api/keys')).body.keys).toEqual([]);
  });

  it('changes nothing with the name by which a proxy knows its visitor', async () => {
    gateway = await openAuthGateway({
      CORS_ORIGINS: '*',
      TRUST_PROXY: 'loopback',
      AUTH_PROXY_HEADER: 'Remote-User',
      AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
      AUTH_PROXY_ROLES: 'staff=member',
    });
    const visitor = gateway.browser();
    const named = { 'remote-user': 'alice', 'remote-groups': 'staff' };
    const publish = () => visitor.post('/api/publish', { channel: 'logs', msg: 'x' }, named);
    expect(await publish()).toMatchObject({ status: 200 });
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }, {}]) {
      visitor.headers = headers as Record<string, string>;
      expect(await publish()).toMatchObject({ status: 403, body: { code: 'csrf' } });
    }
    // A proxy that asks everybody names those who have not signed in by nothing: they have nothing to prove.
    const unnamed = await visitor.post('/auth/logout', undefined, { 'remote-user': '' });
    expect(unnamed).toMatchObject({ status: 204 });
  });

  it('sends no text where JSON is wanted, as a form or a beacon would', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const type = { 'content-type': 'text/plain' };
    for (const path of ['/api/keys', '/auth/login', '/auth/password'])
      expect(await alice.post(path, JSON.stringify(key), type)).toMatchObject({ status: 415 });
  });

  it('signs nobody in as somebody of its choice', async () => {
    gateway = await openAuthGateway({ CORS_ORIGINS: '*' });
    const visitor = gateway.browser();
    visitor.headers = { origin: 'https://evil.example' };
    expect(await visitor.login('bob')).toMatchObject({ status: 403, body: { code: 'csrf' } });
    visitor.headers = { 'sec-fetch-site': 'cross-site' };
    expect(await visitor.login('bob')).toMatchObject({ status: 403 });
  });

  it('is let in with a credential of its own, which needs no cookie', async () => {
    gateway = await openAuthGateway({ CORS_ORIGINS: 'https://board.example' });
    const { token } = (await (await gateway.signedIn('alice')).post('/auth/token')).body;
    const board = gateway.browser();
    board.headers = { origin: 'https://board.example', authorization: `Bearer ${token}` };
    expect((await board.post('/api/publish', { channel: 'logs', msg: 'x' })).status).toBe(200);
    board.headers = { authorization: `Bearer ${token}` };
    expect((await board.post('/api/publish', { channel: 'logs', msg: 'x' })).status).toBe(200);
  });

  it('is no reason to refuse the own page, with and without Sec-Fetch-Site, behind https too', async () => {
    gateway = await openAuthGateway({ PUBLIC_URL: 'https://logs.example.com', TRUST_PROXY: 'loopback' });
    const alice = await gateway.signedIn('alice');
    expect((await alice.post('/auth/token')).status).toBe(200);
    alice.headers = { 'sec-fetch-site': 'same-origin', origin: new URL(gateway.url).origin };
    expect((await alice.post('/auth/token')).status).toBe(200);
    const proxied = gateway.browser();
    proxied.headers = {
      host: 'logs.example.com',
      origin: 'https://logs.example.com',
      'x-forwarded-proto': 'https',
    };
    const answer = await proxied.login('alice');
    expect(answer.status).toBe(200);
    expect(answer.headers['set-cookie']?.[0]).toMatch(/^__Host-llm-streamer=.*Secure/);
    proxied.headers = { ...proxied.headers, origin: 'http://logs.example.com' };
    expect((await proxied.post('/auth/token')).body).toMatchObject({ status: 403 });
  });
});

it('35: no answer ever lets another site use credentials', async () => {
  for (const origins of ['*', 'https://board.example']) {
    gateway = await openAuthGateway({ CORS_ORIGINS: origins });
    const alice = await gateway.signedIn('alice');
    const headers = { origin: 'https://board.example' };
    const preflight = { ...headers, 'access-control-request-method': 'POST' };
    const answers = [
      await alice.ask('/api/channels', { headers }),
      await alice.ask('/auth/profile', { headers }),
      await gateway.browser().ask('/auth/profile', { headers }),
      await alice.ask('/api/publish', { method: 'OPTIONS', headers: preflight }),
      await alice.post('/auth/login', { name: 'a', password: 'b' }, headers),
    ];
    for (const answer of answers)
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    expect(answers[3]?.headers['access-control-allow-headers']).toContain('authorization');
    if (origins === '*') await gateway.close();
  }
});

describe('36: fixation', () => {
  it('replaces a cookie that was there before the login, and ends its session', async () => {
    gateway = await openAuthGateway();
    const mallory = await gateway.signedIn('bob');
    const planted = mallory.cookie;
    const victim = gateway.browser();
    for (const [name, value] of mallory.cookies) victim.cookies.set(name, value);
    expect((await victim.login('alice')).status).toBe(200);
    expect(victim.cookie).not.toBe(planted);
    expect((await mallory.ask('/auth/profile')).status).toBe(401);
    expect((await victim.ask('/auth/profile')).body).toMatchObject({ name: 'alice' });
  });

  it('takes no token of the client’s choice', async () => {
    gateway = await openAuthGateway();
    const victim = gateway.browser();
    const chosen = `lst_${'a'.repeat(43)}`;
    victim.cookies.set(`llm-streamer-${gateway.port}`, chosen);
    await victim.login('alice');
    expect(victim.cookie).not.toContain(chosen);
  });
});

it('38: two gateways on two ports of one host: both stay signed in', async () => {
  gateway = await openAuthGateway();
  const second = await openAuthGateway();
  others.push(second);
  const browser = new Browser(gateway.url);
  await browser.login('alice');
  const other = new Browser(second.url);
  // A browser sends all cookies of a host to each of its ports.
  for (const [name, value] of browser.cookies) other.cookies.set(name, value);
  await other.login('bob');
  for (const [name, value] of other.cookies) browser.cookies.set(name, value);
  expect((await browser.ask('/auth/profile')).body).toMatchObject({ name: 'alice' });
  expect((await other.ask('/auth/profile')).body).toMatchObject({ name: 'bob' });
  await other.post('/auth/logout');
  expect((await browser.ask('/auth/profile')).body).toMatchObject({ name: 'alice' });
});

describe('39: more than one may have', () => {
  it('sign-up takes no role, nor anything else', async () => {
    gateway = await openAuthGateway({ AUTH_SIGNUP: 'viewer' });
    const one = gateway.browser();
    for (const more of [{ role: 'admin' }, { admin: true }, { grants: { admin: true } }, { disabled: false }])
      expect(await one.post('/auth/signup', { name: 'eve', password: PASSWORD, ...more })).toMatchObject({
        status: 400,
        body: { code: 'invalid_body', field: Object.keys(more)[0] },
      });
    await one.post('/auth/signup', `{"name":"eve","password":"${PASSWORD}","__proto__":{"role":"admin"}}`);
    expect(await gateway.store.user('eve')).toBeUndefined();
  });

  it('a role that became one of an admin lets nobody sign up', async () => {
    gateway = await openAuthGateway({ AUTH_SIGNUP: 'ops' });
    const grants = { read: [], publish: [], run: false, metrics: false, admin: true };
    await gateway.store.setRole({ name: 'ops', grants });
    const answer = await gateway.browser().post('/auth/signup', { name: 'eve', password: PASSWORD });
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  it('nobody makes a key wider than himself, and no key makes keys', async () => {
    gateway = await openAuthGateway();
    await gateway.store.setRole({
      name: 'team',
      grants: { read: ['logs:team*'], publish: ['logs:team*'], run: false, metrics: false, admin: false },
    });
    await gateway.store.changeUser('alice', { role: 'team' });
    const alice = await gateway.signedIn('alice');
    for (const wider of [
      { read: ['logs*'] },
      { read: ['*'] },
      { read: ['logs:team*', 'runs:bob/*'] },
      { read: ['runs:*'] },
      { publish: ['logs:other'] },
      { run: true },
      { metrics: true },
      { admin: true },
      { service: true },
    ])
      expect(await alice.post('/api/keys', { name: 'wide', ...wider })).toMatchObject({
        status: 403,
        body: { code: 'forbidden', field: Object.keys(wider)[0] },
      });
    const made = await alice.post('/api/keys', {
      name: 'ci',
      read: ['logs:team:a'],
      publish: ['logs:team:*'],
    });
    expect(made.status).toBe(201);
    const authorization = `Bearer ${made.body.key}`;
    const program = gateway.browser();
    const key = { name: 'more', read: ['logs:team:a'] };
    expect((await program.post('/api/keys', key, { authorization })).body).toMatchObject({
      code: 'forbidden',
    });
    expect((await program.ask('/api/keys', { headers: { authorization } })).body).toEqual({ keys: [] });
    expect((await program.post('/auth/token', {}, { authorization })).status).toBe(403);
    expect((await program.ask('/auth/sessions', { headers: { authorization } })).status).toBe(403);
    expect(JSON.stringify((await alice.ask('/api/keys')).body)).not.toContain(made.body.key);
    // Lower rights of the person are lower rights of the key.
    await gateway.store.changeUser('alice', { disabled: true });
    await eventually('the key ends', async () => {
      const { status } = await program.ask('/auth/profile', { headers: { authorization } });
      return status === 401;
    });
  });

  it('nobody but an admin manages people, roles and the keys of others', async () => {
    gateway = await openAuthGateway();
    const [alice, bob] = [await gateway.signedIn('alice'), await gateway.signedIn('bob')];
    const { id } = (await bob.post('/api/keys', { name: 'bobs' })).body;
    for (const [method, path, body] of [
      ['GET', '/api/users', undefined],
      ['POST', '/api/users', { name: 'eve', password: PASSWORD, role: 'admin' }],
      ['PATCH', '/api/users/alice', { role: 'admin' }],
      ['DELETE', '/api/users/bob', undefined],
      ['GET', '/api/roles', undefined],
      ['POST', '/api/roles', { name: 'mine', admin: true }],
      ['PATCH', '/api/roles/member', { admin: true }],
      ['DELETE', '/api/roles/member', undefined],
    ] as const)
      expect(await alice.ask(path, { method, body })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
    expect((await alice.ask(`/api/keys/${id}`, { method: 'DELETE' })).status).toBe(404);
    const root = await gateway.signedIn('root');
    expect((await root.ask('/api/keys')).body.keys).toMatchObject([{ id, user: 'bob' }]);
    expect((await root.ask(`/api/keys/${id}`, { method: 'DELETE' })).status).toBe(204);
  });
});

describe('guessing', () => {
  it('31: is refused by address and name, with a time to wait, and nobody else is', async () => {
    gateway = await openAuthGateway({ TRUST_PROXY: 'loopback' });
    const guess = async (name: string, from: string, password = 'a wrong guess') =>
      gateway.browser().post('/auth/login', { name, password }, { 'x-forwarded-for': from });
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await guess('alice', '10.0.0.1'));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429]);
    expect(answers[5]?.body).toMatchObject({ code: 'too_many_attempts' });
    expect(Number(answers[5]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await guess('alice', '10.0.0.2', PASSWORD)).status).toBe(200);
  });

  it('32: a spoofed X-Forwarded-For changes nothing where no proxy is trusted', async () => {
    gateway = await openAuthGateway();
    const status = [];
    for (let i = 0; i < 6; i++)
      status.push(
        (
          await gateway
            .browser()
            .post(
              '/auth/login',
              { name: 'alice', password: 'wrong one' },
              { 'x-forwarded-for': `10.0.0.${i}` },
            )
        ).status,
      );
    expect(status.at(-1)).toBe(429);
  });

  it('44: unknown keys count against their address, and good ones are never refused', async () => {
    gateway = await openAuthGateway();
    const { body } = await (await gateway.signedIn('alice')).post('/api/keys', {
      name: 'ci',
      read: ['logs*'],
    });
    const ask = async (key: string) =>
      (await gateway.browser().ask('/auth/profile', { headers: { authorization: `Bearer ${key}` } })).status;
    const status = [];
    for (let i = 0; i < 12; i++) status.push(await ask(`lls_aaaaaaa${i % 10}_made-up`));
    expect(status.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(status.slice(10)).toEqual([429, 429]);
    expect(await ask(body.key)).toBe(200);
  });

  it('29: a flood of logins from many addresses holds up neither streams nor somebody who signs in', async () => {
    gateway = await openAuthGateway({ TRUST_PROXY: 'loopback' });
    const bob = await gateway.signedIn('bob');
    const stream = await gateway.watch(bob);
    await stream.saw('live');
    const send = (n: number, address: string) =>
      gateway
        .browser()
        .post('/auth/login', { name: `name-${n}`, password: 'x' }, { 'x-forwarded-for': address });
    const flood = Array.from({ length: 16 }, (_, n) => send(n, `10.0.0.${n % 8}`));
    await gateway.broker.publish([line('logs', 'during the flood')]);
    await eventually('the stream goes on', () => stream.msgs.includes('during the flood'));
    expect((await gateway.browser().login('alice')).status).toBe(200);
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401]));
  });

  it('30: unknown, wrong and disabled take one hash each', async () => {
    const hashes: (string | undefined)[] = [];
    class Counted extends Passwords {
      override verify(password: string, phc: string | undefined): Promise<boolean> {
        hashes.push(phc);
        return super.verify(password, phc);
      }
    }
    gateway = await openAuthGateway();
    const { store } = gateway;
    await store.changeUser('bob', { disabled: true });
    const passwords = new Counted();
    const signIn = new SignIn({
      store,
      sessions: new Sessions(store),
      passwords,
      throttle: new Throttle(new MemoryAttempts()),
      logger: createLogger('gateway', 'silent', true),
    });
    for (const name of ['nobody', 'NOT A NAME', 'bob', 'alice'])
      await expect(
        signIn.login(name, 'a wrong one', { address: '10.0.0.1', agent: '' }),
      ).rejects.toMatchObject({
        code: 'login_failed',
        message: 'the name or the password is wrong',
      });
    await passwords.close();
    expect(hashes).toHaveLength(4);
  });

  it('48: a hundred half-open logins hold up nobody', async () => {
    gateway = await openAuthGateway();
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect(gateway.port, '127.0.0.1').on('error', () => {});
      socket.write(
        'POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{"name":"al',
      );
      return socket;
    });
    expect((await gateway.browser().login('alice')).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

it('41: prototype names are people like others, or nobody', async () => {
  gateway = await openAuthGateway();
  const root = await gateway.signedIn('root');
  for (const name of ['__proto__', 'constructor', 'toString']) {
    expect((await gateway.browser().login(name)).status).toBe(401);
    expect([404, 403]).toContain((await root.ask(`/api/users/${name}`, { method: 'DELETE' })).status);
    expect((await root.ask(`/api/roles/${name}`, { method: 'DELETE' })).status).toBe(404);
    expect((await root.post('/api/users', { name: 'eve', password: PASSWORD, role: name })).status).toBe(400);
  }
});
