// `npm run users` and `npm run keys`, as a person runs them.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGateway } from '../../../../test-support/gateway.ts';
import { eventually, startProcess } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { type Program, runProgram } from '../../../src/auth/cli/command-line.ts';
import { keys } from '../../../src/auth/cli/keys.ts';
import { users } from '../../../src/auth/cli/users.ts';
import { ApiKeys } from '../../../src/auth/credentials/api-keys.ts';
import { Passwords } from '../../../src/auth/sign-in/passwords.ts';
import { openAuthStore } from '../../../src/auth/store/open-auth-store.ts';
import { readGatewayConfig } from '../../../src/config.ts';
import { session } from '../store/conformance.ts';

let redis: RedisServer;
let folder: string;
beforeAll(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'auth-cli-'));
});
afterAll(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Result {
  code: number | null;
  out: string;
  err: string;
}

type Env = Record<string, string>;

/** In this process, which starts none for each mistake. */
async function tryOut(program: Program, line: string, env: Env): Promise<Result> {
  let [out, err] = ['', ''];
  const code = await runProgram(program, line.split(' '), {
    env,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

async function run(program: 'users' | 'keys', line: string, env: Env, input = ''): Promise<Result> {
  const words = line.split(' ').filter((word) => word !== '');
  const child = startProcess([`gateway/src/auth/cli/${program}-main.ts`, ...words], { env, input });
  const { code } = await child.exited;
  return { code, out: child.stdout, err: child.stderr };
}

let files = 0;
const places: [string, () => Env][] = [
  ['in Redis', () => ({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() })],
  ['in AUTH_FILE', () => ({ AUTH_FILE: join(folder, `auth-${files++}.json`) })],
];

const openStore = ({ NAMESPACE = 'llm', ...env }: Env) => openAuthStore({ NAMESPACE, ...env });

describe.each(places)('%s', (_, place) => {
  it('a person is added with a password from stdin, listed, changed and deleted', async () => {
    const env = place();
    const type = (line: string, input?: string) =>
      input === undefined ? tryOut(users, line, env) : run('users', line, env, input);
    expect(await type('add alice --role member', 'correct horse\n')).toEqual({
      code: 0,
      out: '',
      err: 'added alice as member\n',
    });
    const list = await type('list');
    expect(list).toMatchObject({ code: 0, err: '' });
    expect(list.out).toMatch(
      /^NAME +ROLE +STATE +ADDED \(UTC\)\nalice +member +enabled +\d{4}-\d\d-\d\d \d\d:\d\d\n$/,
    );

    const store = await openStore(env);
    const passwords = new Passwords();
    const fits = async (text: string) =>
      passwords.verify(text, (await store.user('alice'))?.passwordHash as string);
    expect(await fits('correct horse')).toBe(true);

    await store.addSession(session('s1', 'alice', { agent: 'Evil\u001b[2JBrowser' }));
    const sessions = await type('sessions list alice');
    expect(sessions.out).toContain('10.0.0.1');
    expect(sessions.out).toContain('Evil?[2JBrowser');
    expect(await type('password alice', 'battery staple\r\n')).toMatchObject({ code: 0 });
    expect(await fits('battery staple')).toBe(true);
    expect(await store.sessionsOf('alice')).toEqual([]);

    expect(await type('role alice admin')).toMatchObject({ code: 0, err: 'alice is admin now\n' });
    const last =
      'users: nobody could manage people in the page any more: add another admin first, or give --force\n';
    for (const line of ['disable alice', 'delete alice', 'role alice viewer'])
      expect(await type(line)).toEqual({ code: 1, out: '', err: last });
    expect(await type('disable alice --force')).toMatchObject({ code: 0 });
    expect(await store.user('alice')).toMatchObject({ role: 'admin', disabled: true });
    expect(await type('enable alice')).toMatchObject({ code: 0 });
    await store.addSession(session('s2', 'alice'));
    expect(await type('sessions end alice')).toMatchObject({ code: 0, err: 'sessions ended: 1\n' });
    const deleted = await type('delete alice --force');
    expect(deleted).toMatchObject({ code: 0, err: expect.stringContaining('the runs stay until') });
    expect(await store.users()).toEqual([]);
    await Promise.all([store.close(), passwords.close()]);
  }, 60_000);

  it('a role is made, given and deleted', async () => {
    const env = place();
    const type = (line: string, input?: string) =>
      input === undefined ? tryOut(users, line, env) : run('users', line, env, input);
    expect(await type('roles set team-a --read logs:team-a*,events* --run')).toMatchObject({ code: 0 });
    expect((await type('roles list')).out).toContain('team-a  read logs:team-a*,events* · run\n');
    expect(await type('add bob --role team-a', 'correct horse')).toMatchObject({ code: 0 });
    expect(await type('roles delete team-a')).toMatchObject({
      code: 1,
      err: 'users: somebody has the role team-a\n',
    });
    await type('delete bob');
    expect(await type('roles delete team-a')).toMatchObject({ code: 0 });
  }, 60_000);

  it('a key is shown once, works, is listed without itself, and is revoked', async () => {
    const env = place();
    const type = (line: string) => run('keys', line, env);
    const made = await type('add ci --publish logs:ci* --source ci-* --expires 90d');
    expect(made).toMatchObject({ code: 0 });
    const key = made.out.trim();
    const store = await openStore(env);
    const principal = await new ApiKeys(store).principalOf(key);
    expect(principal).toMatchObject({ name: 'ci', source: 'ci-*', grants: { publish: ['logs:ci*'] } });
    expect((principal?.expires ?? 0) - Date.now()).toBeGreaterThan(89 * 86_400_000);
    const id = principal?.id.slice(4) ?? '';
    const list = await type('list');
    expect(list.out).toContain(`${id}  ci    -   publish logs:ci*  ci-*    `);
    expect(list.out + list.err + made.err).not.toContain(key.slice(13, 50)); // 40: the secret part
    expect(await type(`revoke ${id}`)).toMatchObject({ code: 0, err: `key ${id} is revoked\n` });
    expect(await new ApiKeys(store).principalOf(key)).toBeUndefined();
    expect(await type(`revoke ${id}`)).toMatchObject({ code: 1, err: `keys: there is no key "${id}"\n` });
    await store.close();
  }, 60_000);
});

describe('what is wrong is one line that says what is allowed', () => {
  let env: Env;
  beforeAll(() => {
    env = { AUTH_FILE: join(folder, 'wrong.json') };
  });

  it.each([
    ['frobnicate', 2, 'users: unknown command "frobnicate": use add, list, '],
    ['add', 2, 'users: the name of the person is missing; see --help'],
    ['add alice', 2, 'users: --role is missing: use viewer, member, admin'],
    ['add alice --role root', 2, 'users: --role "root": use viewer, member, admin'],
    ['add alice --role admin --password secret', 2, "users: Unknown option '--password'"],
    ['add Alice --role admin', 2, 'users: "Alice": the name of a person must be 1 to 57 of a-z 0-9 _ . -'],
    ['add älice --role admin', 2, 'users: "älice": the name of a person must be'],
    [`add ${'a'.repeat(58)} --role admin`, 2, 'users: "aaa'],
    ['add a..b --role admin', 2, 'users: "a..b": the name of a person must be'],
    ['add k-12345678 --role admin', 2, 'users: "k-12345678": the name of a person must be'],
    ['add __proto__ --role admin', 2, 'users: "__proto__": the name of a person must be'],
    ['role carol admin', 1, 'users: there is nobody called "carol"'],
    ['disable __proto__', 1, 'users: there is nobody called "__proto__"'],
    ['roles set admin --read logs', 2, 'users: admin is built in and cannot be changed'],
    ['roles set team', 2, 'users: nothing is granted: give --read'],
    ['roles set team --read lo?gs', 2, 'users: --read "lo?gs": must be 1 to 200 of'],
    ['roles set team --publish runs:x', 2, 'users: --publish runs:x: only the gateway writes there'],
    ['acl nobody', 2, 'users: "nobody": use gateway, writer, producer, reader'],
  ])('42: users %s', async (line, code, complaint) => {
    const result = await tryOut(users, line, env);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(complaint);
    expect(result.err.trimEnd().split('\n')).toHaveLength(1);
  });

  it.each([
    ['add ci', 2, 'keys: nothing is granted: give --read'],
    ['add ci --read logs --expires 11y', 2, 'keys: --expires "11y": must be a time like 90d or 12h'],
    ['add ci --read logs --expires 9999d', 2, 'keys: --expires "9999d"'],
    ['add ci --read logs --source a*b*c*d*e*f', 2, 'keys: --source "a*b*c*d*e*f": must be'],
    ['add ci --read logs --user carol', 1, 'keys: there is nobody called "carol"'],
  ])('keys %s', async (line, code, complaint) => {
    const result = await tryOut(keys, line, env);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(complaint);
  });

  it.each(['short', 'x'.repeat(257), 'x'.repeat(100_000)])('a password like %.10s', async (password) => {
    expect(await run('users', 'add alice --role admin', env, password)).toEqual({
      code: 2,
      out: '',
      err: 'users: the password must have 8 to 256 characters\n',
    });
    await expect(stat(env.AUTH_FILE as string)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('a person who is there already', async () => {
    const place = { AUTH_FILE: join(folder, 'twice.json') };
    await run('users', 'add alice --role admin', place, 'correct horse');
    expect(await run('users', 'add alice --role viewer', place, 'battery staple')).toMatchObject({
      code: 1,
      err: 'users: there is somebody called alice already\n',
    });
  });

  it('a store that is not named, or cannot be reached', async () => {
    const none = await tryOut(users, 'list', {});
    expect(none).toMatchObject({ code: 2 });
    expect(none.err).toContain('users: neither REDIS_URL nor AUTH_FILE is set');
    const away = await tryOut(users, 'list', { REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    expect(away).toMatchObject({ code: 1, out: '' });
    expect(away.err).toContain('cannot be reached (ECONNREFUSED)');
    expect(away.err).not.toContain('secret');
  });
});

it('with Redis, what the commands change stands in the audit, without a secret', async () => {
  const env = { REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
  const key = (await tryOut(keys, 'add ci --publish logs:ci*', env)).out.trim();
  await run('users', 'add alice --role admin', env, 'correct horse');
  await tryOut(users, 'roles set team --read logs:team*', env);
  await tryOut(users, 'role alice team --force', env);
  await tryOut(users, 'role carol team', env); // there is nobody of this name
  await tryOut(users, 'delete alice', env);
  await tryOut(keys, `revoke ${key.slice(4, 12)}`, env);
  const broker = new RedisBroker({
    url: redis.url,
    namespace: env.NAMESPACE,
    retention: retentionPolicy(readGatewayConfig({})),
  });
  const { items } = await broker.readPage({ channels: ['audit:auth'], after: BEGINNING, limit: 100 });
  await broker.close();
  const entries = items.map(({ record }) => record?.entry);
  expect(entries.map((entry) => [entry?.event, entry?.attrs?.by, entry?.attrs?.to])).toEqual([
    ['key.added', 'cli', `key:${key.slice(4, 12)}`],
    ['user.added', 'cli', 'user:alice'],
    ['role.set', 'cli', 'role:team'],
    ['user.changed', 'cli', 'user:alice'],
    ['user.deleted', 'cli', 'user:alice'],
    ['key.revoked', 'cli', `key:${key.slice(4, 12)}`],
  ]);
  expect(JSON.stringify(entries)).not.toMatch(/correct horse|scrypt|lls_/);
}, 60_000);

it('with AUTH_FILE, the gateway that takes a change over says in the audit whose rights have changed', async () => {
  const env = { AUTH_FILE: join(folder, 'edited.json') };
  await tryOut(users, 'roles set team --read logs:team*', env);
  const store = await openStore(env);
  const gateway = await openGateway({ AUTH: 'on' }, {}, store);
  await run('users', 'add alice --role admin', env, 'correct horse');
  const audited = await eventually('an entry of the audit', async () => {
    const { items } = await gateway.broker.readPage({
      channels: ['audit:auth'],
      after: BEGINNING,
      limit: 100,
    });
    return items.length > 0 && items.map(({ record }) => record?.entry);
  });
  expect(audited).toMatchObject([{ event: 'rights.changed', attrs: { by: 'AUTH_FILE', to: 'user:alice' } }]);
  await gateway.close();
  await store.close();
}, 60_000);

it('warns of patterns that look as if they reached reserved channels', async () => {
  const env = { AUTH_FILE: join(folder, 'warned.json') };
  const made = await tryOut(keys, 'add ci --read logs*,runs*', env);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^lls_\S+\n$/) });
  expect(made.err).toContain('warning: runs* shows no channel that begins with runs:;');
  expect((await tryOut(users, 'roles set team --read audit*', env)).err).toContain('warning: audit* shows');
  const line = await tryOut(users, 'acl producer --redis-version 7.0 --channels runs:*,logs*', env);
  expect(line).toMatchObject({
    code: 0,
    err: expect.stringMatching(/^warning: runs:\* is reserved: [^\n]*\n$/),
  });
});

it('--help says all, and no command as well, with another exit code', async () => {
  const asked = await tryOut(users, '--help', {});
  expect(asked).toMatchObject({ code: 0, err: '' });
  expect(asked.out).toContain('add NAME --role ROLE');
  expect(asked.out).toContain('grants belong to roles');
  expect(await run('users', '', {})).toMatchObject({ code: 2, out: asked.out });
  expect((await tryOut(keys, 'add --help', {})).out).toContain('--expires TIME');
});

it('acl prints a line for a Redis user, whose password stands there as a digest', async () => {
  const env = { REDIS_URL: redis.url, NAMESPACE: 'llm' };
  const result = await run(
    'users',
    'acl producer --user pipes --channels logs:ci* --password',
    env,
    'correct horse',
  );
  expect(result).toMatchObject({ code: 0, err: '' });
  expect(result.out).toMatch(/^user pipes on #[0-9a-f]{64} resetkeys resetchannels .*&logs:ci\*.* \+publish/);
  expect(result.out).not.toContain('correct');
  const anywhere = await tryOut(users, 'acl gateway', {});
  expect(anywhere).toMatchObject({ code: 0, err: 'for Redis 7.0.0; --redis-version names another\n' });
  expect(anywhere.out).toMatch(/^user gateway on ~\{llm\}:\*/);
  const newer = await tryOut(users, 'acl producer --redis-version 7.2', {});
  expect(newer).toMatchObject({ code: 0, err: '' });
  expect(newer.out).toContain('+client|setinfo');
});
