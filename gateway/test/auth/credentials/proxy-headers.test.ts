// Headers of a proxy that has signed people in: believed from the addresses of the proxy alone, in one form alone, and refused in
// any other. The requests are real ones, and the gate is the one of the gateway.

import { request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { fastify } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Authenticator } from '../../../src/auth/authenticator.ts';
import {
  type ProxyHeaders,
  proxyAddresses,
  proxyHeaders,
} from '../../../src/auth/credentials/proxy-headers.ts';
import { Gate } from '../../../src/auth/gate.ts';
import { proxyVariables } from '../../../src/auth/ways-config.ts';
import { authorization } from '../../../src/http/plugins/authorization.ts';
import { problems } from '../../../src/http/plugins/problems.ts';

const SILENT = createLogger('test', 'silent', true);
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const user = (name: string, disabled: boolean) => ({
  name,
  disabled,
  passwordHash: '',
  role: 'viewer',
  created: 0,
});
const store = {
  roles: async () => [],
  user: async (name: string) => (name === 'mallory' ? user(name, true) : undefined),
};

/** A gateway that believes `trusted`, with a route that says who asks. It also takes one Bearer token, `lst_x`, of nobody special. */
async function gatewayBehind(trusted: string): Promise<number> {
  const variables = {
    AUTH_PROXY_HEADER: 'Remote-User',
    AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
    AUTH_PROXY_ROLES: 'developers=member, ops=admin, ops=viewer, __proto__=admin, lost=no-such-role',
  };
  const config = { ...z.object(proxyVariables).parse(variables), TRUST_PROXY: trusted };
  const app = fastify({ trustProxy: trusted.split(',').map((proxy) => proxy.trim()) });
  problems(app);
  const authenticator = new Authenticator({}, [proxyHeaders(config, store, SILENT) as ProxyHeaders]);
  authorization(
    app,
    new Gate({ mode: 'on', authenticator, audit: { refused: () => {} }, anonymous: ['logs:public'] }),
    undefined,
  );
  app.get('/who', { config: { needs: 'read' } }, ({ principal }) => principal);
  app.get('/admin', { config: { needs: 'admin' } }, ({ principal }) => principal);
  app.get('/signed-in', { config: { needs: 'signed-in' } }, ({ principal }) => principal);
  await app.listen({ port: 0, host: '127.0.0.1' });
  closing.push(() => app.close());
  return (app.server.address() as AddressInfo).port;
}

/** Sends the headers as they are, names and values by turns. */
function ask(
  port: number,
  headers: string[],
  path = '/who',
): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const request = send(
      { host: '127.0.0.1', port, path, headers: ['Host', 'localhost', ...headers] },
      (answer) => {
        json(answer).then(
          (body) => resolve({ status: answer.statusCode ?? 0, body: body as Record<string, unknown> }),
          reject,
        );
      },
    );
    request.on('error', reject).end();
  });
}

describe('from the proxy', () => {
  it('a name and groups make a person with the roles of the groups', async () => {
    const port = await gatewayBehind('127.0.0.1');
    const { status, body } = await ask(port, ['Remote-User', 'alice', 'Remote-Groups', 'developers,others']);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: 'user:alice', kind: 'user', name: 'alice', owner: 'alice' });
    expect(body.grants).toMatchObject({ publish: ['*'], run: true, admin: false });
    const ops = await ask(port, ['remote-user', 'bob', 'REMOTE-GROUPS', ' ops | others '], '/admin');
    expect(ops).toMatchObject({ status: 200, body: { id: 'user:bob' } });
  });

  it.each([
    ['no groups', []],
    ['empty groups', ['Remote-Groups', '']],
    ['unknown groups', ['Remote-Groups', 'others,Developers,constructor']],
    ['a group whose role does not exist', ['Remote-Groups', 'lost']],
  ])('%s give no role: the person is known, and may read his own and what is public', async (_, groups) => {
    const port = await gatewayBehind('127.0.0.1');
    const { body } = await ask(port, ['Remote-User', 'alice', ...groups], '/signed-in');
    expect(body.grants).toMatchObject({ publish: [], run: false, metrics: false, admin: false });
    expect((body.grants as { read: string[] }).read).toEqual([
      'runs:alice/*',
      'conversations:alice/*',
      'events:runs:alice',
      'logs:public',
    ]);
    expect(await ask(port, ['Remote-User', 'alice', ...groups], '/admin')).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
  });

  it.each(['Alice', 'alice@example.com', 'j-abcdefghijklmnopqrst', 'k-12345678', '../x', 'zoë', '__proto__'])(
    'the name %s, which nobody can have here, owns what only this name owns',
    async (name) => {
      const port = await gatewayBehind('127.0.0.1');
      const sent = Buffer.from(name).toString('latin1');
      const { body } = await ask(port, ['Remote-User', sent, 'Remote-Groups', 'developers']);
      expect(body).toMatchObject({ name, owner: expect.stringMatching(/^j-[a-z2-7]{20}$/) });
      expect(body.owner).not.toBe(name);
      expect(body.id).toBe(`user:${body.owner}`);
    },
  );

  it('a person who is disabled here is refused', async () => {
    const port = await gatewayBehind('127.0.0.1');
    expect((await ask(port, ['Remote-User', 'mallory', 'Remote-Groups', 'ops'])).status).toBe(401);
  });

  it('an empty header is that of somebody who has not signed in', async () => {
    const port = await gatewayBehind('127.0.0.1');
    expect((await ask(port, ['Remote-User', '', 'Remote-Groups', ''])).body).toMatchObject({
      kind: 'anonymous',
    });
  });
});

describe('33: refused with 401, and not ignored, is a header', () => {
  const refusals: [string, string, string[]][] = [
    ['from an address that is not the proxy', '10.1.2.3', ['Remote-User', 'alice']],
    [
      'from there, though X-Forwarded-For names the proxy',
      '10.1.2.3',
      ['Remote-User', 'alice', 'X-Forwarded-For', '10.1.2.3'],
    ],
    ['of groups alone from there', '10.1.2.3', ['Remote-Groups', 'ops']],
    ['with _ from there', '10.1.2.3', ['Remote_User', 'alice']],
    ['that comes twice', '127.0.0.1', ['Remote-User', 'alice', 'remote-user', 'bob']],
    ['that comes twice with the same name', '127.0.0.1', ['Remote-User', 'alice', 'Remote-User', 'alice']],
    [
      'of groups that comes twice',
      '127.0.0.1',
      ['Remote-User', 'alice', 'Remote-Groups', 'developers', 'Remote-Groups', 'ops'],
    ],
    ['with _', '127.0.0.1', ['Remote_User', 'alice', 'Remote-Groups', 'ops']],
    ['with _ beside the right one', '127.0.0.1', ['Remote-User', 'alice', 'Remote_User', 'bob']],
    ['of groups with _', '127.0.0.1', ['Remote-User', 'alice', 'Remote_Groups', 'ops']],
    ['of groups without a name', '127.0.0.1', ['Remote-Groups', 'ops']],
    ['of a name that is too long', '127.0.0.1', ['Remote-User', 'a'.repeat(257)]],
    ['of a placeholder of Caddy', '127.0.0.1', ['Remote-User', '{http.reverse_proxy.header.Remote-User}']],
    ['of what Apache knows of nobody', '127.0.0.1', ['Remote-User', '(null)', 'Remote-Groups', 'ops']],
    ['of a dash alone', '127.0.0.1', ['Remote-User', '-', 'Remote-Groups', 'ops']],
    ['of a name that is no UTF-8', '127.0.0.1', ['Remote-User', 'al\u00ffice']],
  ];

  it.each(refusals)('%s', async (_, trusted, headers) => {
    const port = await gatewayBehind(trusted);
    const { status, body } = await ask(port, headers);
    expect([status, body.code]).toEqual([401, 'unauthorized']);
    expect(JSON.stringify(body)).not.toMatch(/alice|TRUST_PROXY|twice|_/i);
    // The same request without it is let in as what it is: anonymous.
    expect((await ask(port, [])).status).toBe(200);
  });

  it('whatever else the request carries in a cookie', async () => {
    const port = await gatewayBehind('10.1.2.3');
    const { status } = await ask(port, ['Cookie', 'llm-streamer-80=lst_x', 'Remote-User', 'alice']);
    expect(status).toBe(401);
  });
});

it('what is made of the headers is no credential that somebody else could send', async () => {
  const config = {
    ...z.object(proxyVariables).parse({
      AUTH_PROXY_HEADER: 'Remote-User',
      AUTH_PROXY_GROUPS_HEADER: 'Remote-Groups',
      AUTH_PROXY_ROLES: 'ops=admin',
    }),
    TRUST_PROXY: '127.0.0.1',
  };
  const headers = proxyHeaders(config, store, SILENT) as ProxyHeaders;
  for (const credential of ['["alice","ops"]', 'proxy ["alice","ops"]', 'alice', ''])
    expect(await headers.principalOf(credential)).toBeUndefined();
});

it.each([
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.1', '::ffff:127.0.0.1', true],
  ['127.0.0.1', '127.0.0.2', false],
  ['loopback', '127.9.9.9', true],
  ['loopback', '::1', true],
  ['10.0.0.0/8, 192.168.1.7', '10.255.0.1', true],
  ['10.0.0.0/8, 192.168.1.7', '192.168.1.7', true],
  ['10.0.0.0/8, 192.168.1.7', '192.168.1.8', false],
  ['uniquelocal', 'fd00::1', true],
  ['uniquelocal', '172.32.0.1', false],
  ['linklocal', '169.254.1.1', true],
  ['fe80::/10', 'fe80::1', true],
])('TRUST_PROXY=%s and the peer %s: %s', (list, peer, trusted) => {
  expect(proxyAddresses(list).check(peer, peer.includes(':') ? 'ipv6' : 'ipv4')).toBe(trusted);
});
