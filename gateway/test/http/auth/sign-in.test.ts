// Signing in and out, one's profile, sessions, tokens and password.

import { afterEach, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { apiKey } from '../../auth/store/conformance.ts';
import { type Answer, type AuthGateway, addUser, openAuthGateway, PASSWORD } from '../auth-gateway.ts';

let gateway: AuthGateway;
afterEach(() => gateway.close());

it('where AUTH is off nobody is an admin: the routes of people and keys are closed to all', async () => {
  gateway = await openAuthGateway({ AUTH: 'off' });
  const { body } = await gateway.browser().ask('/auth/profile');
  expect(body).toMatchObject({ kind: 'everyone', auth: 'off', grants: { admin: false, run: true } });
  expect((await gateway.browser().ask('/api/users')).status).toBe(403);
  await gateway.store.addKey(apiKey('8f3k2m1p'));
  expect((await gateway.browser().ask('/api/keys')).body).toEqual({ keys: [] });
  expect((await gateway.browser().ask('/api/keys/8f3k2m1p', { method: 'DELETE' })).status).toBe(404);
  expect(await gateway.store.keys()).toHaveLength(1);
});

async function refusals(): Promise<string[]> {
  const root = await gateway.signedIn('root');
  const entries = await eventually('refusals', async () => {
    const { body } = await root.ask('/api/entries?channels=audit:refusals');
    return body.entries.length > 0 && body.entries;
  });
  return entries.map(({ msg }: { msg: string }) => msg);
}

describe('signing in', () => {
  it('answers with the profile and a cookie that no script can read', async () => {
    gateway = await openAuthGateway();
    const alice = gateway.browser();
    const { status, body, headers } = await alice.login('alice');
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'alice', kind: 'user', owner: 'alice', role: 'member', auth: 'on' });
    expect(body.grants.read).toContain('runs:alice/*');
    expect(headers['set-cookie']?.[0]).toMatch(
      new RegExp(
        `^llm-streamer-${gateway.port}=lst_\\w{43}; Max-Age=\\d+; Path=/; HttpOnly; SameSite=Strict$`,
      ),
    );
    expect(JSON.stringify(body)).not.toContain('lst_');
    expect((await alice.ask('/auth/profile')).body).toEqual(body);
  });

  it('tells nobody whether a name, a password, the person or the role is wrong', async () => {
    gateway = await openAuthGateway();
    await gateway.store.changeUser('bob', { disabled: true });
    await gateway.store.changeUser('alice', { role: 'gone' });
    const attempts = [['nobody'], ['root', 'wrong password'], ['bob'], ['alice'], ['__proto__']] as const;
    const answers: Answer[] = [];
    for (const [name, password] of attempts) answers.push(await gateway.browser().login(name, password));
    for (const { status, body, headers } of answers) {
      expect(status).toBe(401);
      expect(body).toEqual(answers[0]?.body);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(answers[0]?.body).toMatchObject({ code: 'login_failed' });
  });

  it('takes name and password only, in a small body', async () => {
    gateway = await openAuthGateway();
    const one = gateway.browser();
    const refused = async (body: unknown) => (await one.post('/auth/login', body)).body;
    expect(await refused({ name: 'alice' })).toMatchObject({ code: 'invalid_body', field: 'password' });
    expect(await refused({ name: 'alice', password: PASSWORD, role: 'admin' })).toMatchObject({
      code: 'invalid_body',
      field: 'role',
    });
    expect(await refused({ name: ['alice'], password: PASSWORD })).toMatchObject({ field: 'name' });
    expect(await refused({ name: 'alice', password: 'x'.repeat(257) })).toMatchObject({ field: 'password' });
    expect(await refused({ name: 'alice', password: 'x'.repeat(5_000) })).toMatchObject({
      code: 'body_too_large',
    });
    expect(await refused('{"name":')).toMatchObject({ code: 'invalid_json' });
    expect(JSON.stringify(await refused({ name: 'alice', password: PASSWORD, [PASSWORD]: 1 }))).toContain(
      'unknown field',
    );
  });

  it('says to those who have not signed in how they can', async () => {
    gateway = await openAuthGateway({ AUTH_SIGNUP: 'viewer' });
    const { status, body, headers } = await gateway.browser().ask('/auth/profile');
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(body).toMatchObject({ code: 'unauthorized', status: 401, signup: true });
    expect(body).not.toHaveProperty('empty');
  });

  it('says to those who may read something without it how they can, and counts no refusal', async () => {
    gateway = await openAuthGateway({ AUTH_ANONYMOUS: 'logs:public*' });
    const stranger = gateway.browser();
    const { status, body } = await stranger.ask('/auth/profile');
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: 'anonymous', auth: 'on', ways: {} });
    expect(body.grants.read).toEqual(['logs:public*']);
    const alice = await gateway.signedIn('alice');
    expect((await alice.ask('/auth/profile')).body).not.toHaveProperty('ways');
    const headers = { authorization: 'Bearer lst_made-up' };
    expect((await stranger.ask('/auth/profile', { headers })).status).toBe(401);
    expect(await refusals()).toEqual(['refused GET /auth/profile to an invalid session: unauthorized, 1 ×']);
  });

  it('is no refusal where nothing may be read without it: a page has to ask', async () => {
    gateway = await openAuthGateway();
    expect((await gateway.browser().ask('/auth/profile')).status).toBe(401);
    expect((await gateway.browser().ask('/api/runs')).status).toBe(401);
    expect(await refusals()).toEqual(['refused GET /api/runs to nobody: unauthorized, 1 ×']);
  });

  it('says how one can where it is only reported who would have to', async () => {
    gateway = await openAuthGateway({ AUTH: 'report', AUTH_SIGNUP: 'viewer' });
    const { body } = await gateway.browser().ask('/auth/profile');
    expect(body).toMatchObject({ kind: 'everyone', auth: 'report', ways: { signup: true } });
    expect((await gateway.browser().login('alice')).body).toMatchObject({ kind: 'user', auth: 'report' });
  });

  it('says that nobody was added yet', async () => {
    gateway = await openAuthGateway({}, FileAuthStore.inMemory());
    expect((await gateway.browser().ask('/auth/profile')).body).toMatchObject({ empty: true });
  });

  it('needs nothing where AUTH is off', async () => {
    gateway = await openAuthGateway({ AUTH: 'off' });
    const { body } = await gateway.browser().ask('/auth/profile');
    expect(body).toMatchObject({ name: 'everyone', kind: 'everyone', owner: '', auth: 'off' });
  });
});

describe('signing out', () => {
  it('ends the session itself, and not the cookie alone', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const { cookie } = alice;
    expect((await alice.post('/auth/logout')).status).toBe(204);
    expect(alice.cookies.size).toBe(0);
    expect((await gateway.browser().ask('/auth/profile', { headers: { cookie } })).status).toBe(401);
  });

  it('is possible twice, and without a session', async () => {
    gateway = await openAuthGateway();
    expect((await gateway.browser().post('/auth/logout')).status).toBe(204);
  });
});

describe("one's sessions", () => {
  it('are listed without a secret, and end one by one or all but the present one', async () => {
    gateway = await openAuthGateway();
    const [here, there, elsewhere] = [
      await gateway.signedIn('alice'),
      await gateway.signedIn('alice'),
      await gateway.signedIn('alice'),
    ];
    const { sessions } = (await here.ask('/auth/sessions')).body;
    expect(sessions).toHaveLength(3);
    expect(sessions.filter(({ current }: { current: boolean }) => current)).toHaveLength(1);
    const theirs = (await there.ask('/auth/profile')).body.session;
    expect(sessions.map(({ id }: { id: string }) => id)).toContain(theirs);
    expect((await here.ask(`/auth/sessions/${theirs}`, { method: 'DELETE' })).status).toBe(204);
    expect((await there.ask('/auth/profile')).status).toBe(401);
    expect((await here.ask('/auth/sessions', { method: 'DELETE' })).status).toBe(204);
    expect((await elsewhere.ask('/auth/profile')).status).toBe(401);
    expect((await here.ask('/auth/profile')).status).toBe(200);
  });

  it("are one's own: another's cannot be ended", async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const bob = await gateway.signedIn('bob');
    const { session } = (await alice.ask('/auth/profile')).body;
    expect((await bob.ask(`/auth/sessions/${session}`, { method: 'DELETE' })).status).toBe(404);
    expect((await alice.ask('/auth/profile')).status).toBe(200);
  });

  it('can be made for programs: a token that is shown once, and ends like others', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const { body } = await alice.post('/auth/token');
    expect(body.token).toMatch(/^lst_\w{43}$/);
    const program = gateway.browser();
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await program.ask('/auth/profile', { headers })).body).toMatchObject({ name: 'alice' });
    expect((await program.post('/auth/logout', undefined, headers)).status).toBe(204);
    expect((await program.ask('/auth/profile', { headers })).status).toBe(401);
    expect((await alice.ask('/auth/profile')).status).toBe(200);
  });

  it('end also for a program that sends its token as the password of Basic', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const { token } = (await alice.post('/auth/token')).body;
    const headers = { authorization: `Basic ${Buffer.from(`:${token}`).toString('base64')}` };
    const program = gateway.browser();
    expect((await program.ask('/auth/profile', { headers })).status).toBe(200);
    expect((await program.post('/auth/logout', undefined, headers)).status).toBe(204);
    expect((await program.ask('/auth/profile', { headers })).status).toBe(401);
  });
});

describe('sessions for programs', () => {
  it('44: are few at a time, so that nobody keeps all gateways busy with the ends of his old ones', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const bob = await gateway.watch(await gateway.signedIn('bob'));
    const made = await Promise.all(Array.from({ length: 130 }, () => alice.post('/auth/token', {})));
    expect(made.filter(({ status }) => status === 200)).toHaveLength(10);
    const refused = made.find(({ status }) => status !== 200);
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_attempts' } });
    expect(refused?.headers['retry-after']).toMatch(/^[1-9]$/);
    expect(await gateway.store.sessionsOf('alice')).toHaveLength(11);
    expect(bob.closed).toBe(false);
  });
});

describe('a new password', () => {
  it('needs the present one, ends all sessions, and begins a new one here', async () => {
    gateway = await openAuthGateway();
    const here = await gateway.signedIn('alice');
    const there = await gateway.signedIn('alice');
    const change = { old: 'not my password', password: 'another good one' };
    expect((await here.post('/auth/password', change)).body).toMatchObject({ code: 'login_failed' });
    const before = here.cookie;
    expect((await here.post('/auth/password', { ...change, old: PASSWORD })).status).toBe(200);
    expect(here.cookie).not.toBe(before);
    expect((await here.ask('/auth/profile')).status).toBe(200);
    expect((await there.ask('/auth/profile')).status).toBe(401);
    expect((await gateway.browser().login('alice')).status).toBe(401);
    expect((await gateway.browser().login('alice', 'another good one')).status).toBe(200);
  });

  it('ends the streams of the one who asks only when the answer with the new session is out', async () => {
    const store = FileAuthStore.inMemory();
    await addUser(store, 'alice');
    gateway = await openAuthGateway({}, store);
    const [here, there] = [await gateway.signedIn('alice'), await gateway.signedIn('alice')];
    const [mine, other] = [await gateway.watch(here), await gateway.watch(there)];
    for (const stream of [mine, other]) await stream.saw('live');
    const { cookie } = here;
    const [changed, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const addSession = store.addSession.bind(store);
    store.addSession = async (session) => {
      changed.resolve();
      await answered.promise;
      await addSession(session);
    };
    const answer = here.post('/auth/password', { old: PASSWORD, password: 'another good one' });
    await changed.promise;
    expect((await other.saw('bye')).data).toMatchObject({ code: 'session_ended' });
    await gateway.broker.publish([line('logs', 'meanwhile')]);
    await eventually('the stream goes on', () => mine.msgs.includes('meanwhile'));
    expect(mine.named('bye')).toEqual([]);
    answered.resolve();
    expect((await answer).status).toBe(200);
    expect((await mine.saw('bye')).data).toMatchObject({ code: 'session_ended' });
    expect((await gateway.browser().ask('/auth/profile', { headers: { cookie } })).status).toBe(401);
  });
});

describe('signing up', () => {
  it('is not there by default', async () => {
    gateway = await openAuthGateway();
    const { status } = await gateway.browser().post('/auth/signup', { name: 'carol', password: PASSWORD });
    expect(status).toBe(404);
  });

  it('makes a person of the role that the operator has chosen', async () => {
    gateway = await openAuthGateway({ AUTH_SIGNUP: 'viewer' });
    const carol = gateway.browser();
    const { body } = await carol.post('/auth/signup', { name: 'carol', password: PASSWORD });
    expect(body).toMatchObject({ name: 'carol', role: 'viewer' });
    expect((await carol.ask('/auth/profile')).status).toBe(200);
    const again = await gateway.browser().post('/auth/signup', { name: 'carol', password: PASSWORD });
    expect(again).toMatchObject({ status: 409, body: { code: 'name_taken' } });
  });

  it.each(['admin', 'Admin', '../x', ''])('does not start with the role %j', async (role) => {
    gateway = await openAuthGateway();
    await expect(openAuthGateway({ AUTH_SIGNUP: role === '' ? ' ' : role })).rejects.toMatchObject({
      code: 'invalid_config',
    });
  });
});
