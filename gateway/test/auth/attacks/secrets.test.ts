// Attack 40: whoever reads what a gateway says (its output, its metrics, its audit, its answers, its files, the list of processes)
// looks for something to sign in with. Each secret that is used here is looked for in all of it.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, healthy, startProcess } from '../../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { Browser } from '../../http/auth-gateway.ts';
import { AUDIENCE, ISSUER } from '../credentials/key-server.ts';

const PASSWORD = 'a-password-to-look-for';
const secrets = {
  bootstrap: `bootstrap-${'b'.repeat(40)}`,
  password: PASSWORD,
  guess: 'a-guess-to-look-for',
  nextPassword: 'another-password-to-look-for',
  jwtSecret: `jwt-secret-${'j'.repeat(40)}`,
  madeUpKey: 'lls_madeup00_to-look-for',
  madeUpToken: 'aGVhZGVy.dG8tbG9vay1mb3I.c2lnbmF0dXJl',
  inTheQuery: 'lls_inquery0_to-look-for',
  inAName: 'typed-into-the-field-of-the-name',
};

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it.each(['embedded', 'Redis'])('40: no secret is anywhere, with the %s log', async (kind) => {
  const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-secrets-'));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const namespace = randomNamespace();
  const people = join(folder, 'people.json');
  const port = await freePort();
  const gateway = startProcess(['gateway/src/main.ts'], {
    env: {
      PORT: `${port}`,
      AUTH: 'on',
      AUTH_BOOTSTRAP_KEY_FILE: await file('bootstrap', secrets.bootstrap),
      JWT_ISSUER: ISSUER,
      JWT_AUDIENCE: AUDIENCE,
      JWT_SECRET_FILE: await file('jwt', secrets.jwtSecret),
      LOG_LEVEL: 'trace',
      ...(kind === 'Redis' ? { REDIS_URL: redis.url, NAMESPACE: namespace } : { AUTH_FILE: people }),
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await healthy(`${url}/readyz`);
  const said: string[] = [];
  const by = (token: string) => ({ authorization: `Bearer ${token}` });
  const program = new Browser(url);
  const ask: Browser['ask'] = async (path, options) => {
    const answer = await program.ask(path, options);
    said.push(JSON.stringify([answer.headers, answer.body]));
    return answer;
  };

  const added = await ask('/api/users', {
    method: 'POST',
    headers: by(secrets.bootstrap),
    body: { name: 'root', password: PASSWORD, role: 'admin' },
  });
  expect(added.status).toBe(201);
  const root = new Browser(url);
  expect((await root.login('root')).status).toBe(401);
  expect((await root.login('root', secrets.guess)).status).toBe(401);
  await root.login(secrets.inAName, PASSWORD);
  expect((await root.login('root', PASSWORD)).status).toBe(200);
  const { token } = (await root.post('/auth/token')).body;
  const { key } = (await root.post('/api/keys', { name: 'ci', read: ['*'], metrics: true })).body;
  const before = root.cookie;
  const change = { old: PASSWORD, password: secrets.nextPassword };
  expect((await root.post('/auth/password', change)).status).toBe(200);
  const cookies = [before, root.cookie].map((cookie) => cookie.split('=')[1] ?? '');
  const cookie = { cookie: root.cookie };

  for (const made of [secrets.madeUpKey, secrets.madeUpToken, token, key])
    for (const path of ['/api/entries', '/stream', '/api/runs/x', '/auth/profile', '/nothing'])
      if (made !== key || path !== '/stream') await ask(path, { headers: by(made) });
  await ask(`/api/entries?access_token=${secrets.inTheQuery}`, { headers: by(key) });
  await ask('/api/publish', { method: 'POST', headers: by(key), body: { channel: 'logs', msg: 'x' } });
  await ask('/auth/login', { method: 'POST', body: `{"name":"root","password":"${secrets.guess}"` });
  for (const path of ['/api/users', '/api/roles', '/api/keys', '/auth/sessions', '/auth/profile', '/metrics'])
    expect((await ask(path, { headers: cookie })).status).toBe(200);
  await eventually('the audit', async () => {
    const { body } = await program.ask('/api/entries?channels=audit:*', { headers: cookie });
    said.push(JSON.stringify(body));
    return /invalid api key/.test(said.at(-1) ?? '') && /password\.changed/.test(said.at(-1) ?? '');
  });
  await ask('/api/entries?channels=*,audit:*&limit=1000', { headers: cookie });
  said.push(execFileSync('ps', ['-ww', '-o', 'args=', '-p', `${gateway.pid}`]).toString());
  said.push(kind === 'Redis' ? await everythingIn(redis.url) : await readFile(people, 'utf8'));
  await gateway.stop();
  said.push(gateway.output);
  await rm(folder, { recursive: true });

  expect(gateway.output).toContain('a token was refused');
  const used = { ...secrets, token, key, session: cookies[0], nextSession: cookies[1] };
  const found = Object.entries(used).filter(([, secret]) => said.some((text) => text.includes(secret ?? '')));
  expect(found).toEqual([]);
});

/** All keys and values of a Redis. */
async function everythingIn(url: string): Promise<string> {
  const client = new Redis(url);
  const parts: string[] = [];
  for (const key of await client.keys('*')) {
    const read: Record<string, () => Promise<unknown>> = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      set: () => client.smembers(key),
      zset: () => client.zrange(key, '0', '-1'),
      list: () => client.lrange(key, 0, -1),
      stream: () => client.xrange(key, '-', '+'),
    };
    parts.push(key, JSON.stringify(await read[await client.type(key)]?.()));
  }
  client.disconnect();
  return parts.join('\n');
}
