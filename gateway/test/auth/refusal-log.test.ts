// What the operator reads of refused credentials: why, and not more than one line a second, whatever is sent.
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import { RefusalLog } from '../../src/auth/refusal-log.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';

let gateway: TestGateway | undefined;
afterEach(() => gateway?.close());

it('ten thousand refusals in a second are one line, and the next line says how many there were', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }) as Logger;
  let now = 0;
  const refusals = new RefusalLog(logger, 'a token', () => now);
  for (let i = 0; i < 10_000; i++) expect(refusals.refuse('it has expired')).toBeUndefined();
  expect(lines).toHaveLength(1);
  now = 1_000;
  refusals.refuse('it is too long');
  expect(lines).toMatchObject([
    { reason: 'it has expired', msg: 'a token was refused' },
    { reason: 'it is too long', before: 9_999 },
  ]);
});

it("the gateway's log says why a credential was refused, with the public id of a key and never the secret", async () => {
  const texts: string[] = [];
  const logger = pino({}, { write: (line: string) => void texts.push(line) }) as Logger;
  const store = FileAuthStore.inMemory();
  const [known, unknown] = [makeApiKey(), makeApiKey()];
  const grants = { read: ['*'], publish: [], run: false, metrics: false, admin: false };
  await store.addKey({ ...known, name: 'old', grants, created: 1, expires: 2, lastUsed: 0 });
  const token = `lst_${'a'.repeat(43)}`;
  const jwt = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.e30.c2ln`;
  const refused = [
    [known.key, { msg: 'an API key was refused', key: known.id, reason: 'it has expired' }],
    [unknown.key, { msg: 'an API key was refused', key: unknown.id, reason: 'it is unknown or revoked' }],
    [`${known.key.slice(0, -1)}~`, { msg: 'an API key was refused', reason: 'it is malformed' }],
    [token, { msg: 'a session was refused', reason: 'it is unknown or ended' }],
    [jwt, { msg: 'a credential was refused', reason: 'a JWT of this form is not taken here' }],
  ] as const;
  for (const [credential, line] of refused) {
    texts.splice(0);
    // A gateway for each, because one says at most one reason a second.
    gateway = await openGateway({ AUTH: 'on' }, {}, store, logger);
    const headers = { authorization: `Bearer ${credential}` };
    expect((await fetch(`${gateway.url}/api/channels`, { headers })).status).toBe(401);
    await gateway.close();
    expect(texts.map((text) => JSON.parse(text))).toContainEqual(expect.objectContaining(line));
    expect(texts.join('')).not.toContain(credential);
  }
});
