// Attacks on the time between a request's head, with which its rights are judged, and what it does: a body that is held back, and
// answers that wait for room. Whoever has lost his rights in between gets nothing done.

import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { draft } from '@llm-streamer/shared/entry.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { makeApiKey } from '../../../src/auth/credentials/api-keys.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import { ALL_GRANTS } from '../../../src/auth/principal.ts';
import { type AuthGateway, openAuthGateway } from '../../http/auth-gateway.ts';

/** Enough to pass for somebody who reads: whoever takes nothing loses his connection. */
const SIP_BYTES = 4_096;
const SIP_MS = 50;

let gateway: AuthGateway;
afterEach(() => gateway.close());

/** Every kind of route that takes a body, with one that it would take. */
const BODIES: [method: string, path: string, body: unknown][] = [
  ['POST', '/api/publish?channel=logs', { msg: 'late' }],
  [
    'POST',
    '/v1/logs',
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'late' } }] }] }] },
  ],
  ['POST', '/v1/chat/completions', { model: 'sim-1', messages: [{ role: 'user', content: 'late' }] }],
  ['POST', '/api/process', { message: 'late', message_id: 'late' }],
  ['POST', '/api/users', { name: 'late', password: 'a long password', role: 'admin' }],
  ['PATCH', '/api/users/alice', { role: 'admin' }],
  ['POST', '/api/roles', { name: 'late', admin: true }],
  ['POST', '/api/keys', { name: 'late', admin: true, read: ['*'], service: true }],
];

async function addKey(): Promise<{ id: string; key: string }> {
  const { id, key, digest } = makeApiKey();
  const now = Date.now();
  const record = {
    id,
    digest,
    name: 'admin',
    grants: ALL_GRANTS,
    created: now,
    expires: now + 86_400_000,
  };
  await gateway.store.addKey({ ...record, lastUsed: 0 });
  return { id, key };
}

/** Sends the head of a request alone. */
function hold(method: string, path: string, credential: string, body: unknown) {
  const json = JSON.stringify(body);
  const held: ClientRequest = request(`${gateway.url}${path}`, {
    method,
    agent: false,
    headers: {
      authorization: `Bearer ${credential}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(json),
    },
  });
  const answered = once(held, 'response') as Promise<[IncomingMessage]>;
  held.flushHeaders();
  return {
    finish: async () => {
      held.end(json);
      const [answer] = await answered;
      answer.resume();
      return answer.statusCode;
    },
  };
}

describe('49: a body that comes after its sender has lost his rights', () => {
  it.each(BODIES)('is refused: %s %s, with a key', async (method, path, body) => {
    gateway = await openAuthGateway();
    const { id, key } = await addKey();
    const held = hold(method, path, key, body);
    await isServed(key);
    await gateway.store.revokeKey(id);
    expect(await held.finish()).toBe(401);
    expect((await gateway.store.users()).map(({ name }) => name)).not.toContain('late');
    expect(await gateway.store.keys()).toEqual([]);
  });

  it('is refused: a session that has ended makes no token', async () => {
    gateway = await openAuthGateway();
    const { token } = await new Sessions(gateway.store).begin({ user: 'alice', address: '', agent: '' });
    const held = hold('POST', '/auth/token', token, {});
    await isServed(token);
    await gateway.store.endSessions('alice');
    expect(await held.finish()).toBe(401);
    expect(await gateway.store.sessionsOf('alice')).toEqual([]);
  });

  it('is refused for what he may do no more, and done for what he still may', async () => {
    gateway = await openAuthGateway();
    const { token } = await new Sessions(gateway.store).begin({ user: 'root', address: '', agent: '' });
    await gateway.store.changeUser('alice', { role: 'admin' });
    const users = hold('POST', '/api/users', token, {
      name: 'late',
      password: 'a long password',
      role: 'viewer',
    });
    const run = hold('POST', '/api/process', token, { message: 'late', message_id: 'late' });
    await isServed(token);
    await gateway.store.changeUser('root', { role: 'member' });
    expect(await users.finish()).toBe(403);
    expect(await run.finish()).toBe(200);
  });
});

it('50: answers that wait for room are not made for somebody whose rights have ended meanwhile', async () => {
  gateway = await openAuthGateway();
  const entry = draft({
    time: Date.now(),
    channel: 'logs',
    source: 'test',
    level: 'info',
    msg: 'x'.repeat(60_000),
  });
  for (let i = 0; i < 4; i++) await gateway.broker.publish(Array.from({ length: 16 }, () => entry));
  const { id, key } = await addKey();
  const socket = connect(gateway.port, '127.0.0.1').pause();
  const ask = (query: string, connection = 'keep-alive') =>
    `GET /api/entries?${query} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\nAuthorization: Bearer ${key}\r\n\r\n`;
  // More than the socket takes while nobody reads.
  socket.write(ask('channels=logs&limit=1000').repeat(8) + ask('channels=logs&limit=1', 'close'));
  await once(socket, 'readable'); // the first answer is made
  let beginning = '';
  const sip = () => {
    beginning += socket.read(SIP_BYTES) ?? '';
  };
  const sipping = setInterval(sip, SIP_MS);
  await gateway.store.revokeKey(id);
  await expect.poll(() => profile(key)).toBe(401);
  clearInterval(sipping);
  const statuses = [...(beginning + (await text(socket))).matchAll(/HTTP\/1\.1 (\d{3})/g)].map(
    ([, status]) => status,
  );
  expect(statuses[0]).toBe('200');
  expect(statuses.at(-1)).toBe('401');
});

const profile = async (credential: string) => {
  const answer = await fetch(`${gateway.url}/auth/profile`, {
    headers: { authorization: `Bearer ${credential}` },
  });
  return answer.status;
};

/** Whatever was sent before this has reached the gateway, too. */
async function isServed(credential: string): Promise<void> {
  expect(await profile(credential)).toBe(200);
}
