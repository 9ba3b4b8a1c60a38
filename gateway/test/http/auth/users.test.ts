// An admin manages people, roles and keys.

import { afterEach, describe, expect, it } from 'vitest';
import { type AuthGateway, openAuthGateway, PASSWORD } from '../auth-gateway.ts';

let gateway: AuthGateway;
afterEach(() => gateway.close());

describe('people', () => {
  it('are added, listed without hashes, changed and deleted', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    const added = await root.post('/api/users', { name: 'carol', password: PASSWORD, role: 'viewer' });
    expect(added).toMatchObject({ status: 201, body: { name: 'carol', role: 'viewer', disabled: false } });
    const list = (await root.ask('/api/users')).body;
    expect(list.users.map(({ name }: { name: string }) => name).sort()).toEqual([
      'alice',
      'bob',
      'carol',
      'root',
    ]);
    expect(list.roles.map(({ name }: { name: string }) => name)).toEqual(['viewer', 'member', 'admin']);
    expect(JSON.stringify(list)).not.toContain('$scrypt');
    const changed = await root.ask('/api/users/carol', {
      method: 'PATCH',
      body: { role: 'member', disabled: true },
    });
    expect(changed.body).toMatchObject({ role: 'member', disabled: true });
    expect((await gateway.browser().login('carol')).status).toBe(401);
    expect((await root.ask('/api/users/carol', { method: 'DELETE' })).status).toBe(204);
    expect((await root.ask('/api/users/carol', { method: 'DELETE' })).status).toBe(404);
  });

  it('have names and roles that exist, and passwords of a decent length', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    const add = async (body: object) =>
      (await root.post('/api/users', { name: 'eve', password: PASSWORD, role: 'viewer', ...body })).body;
    for (const name of ['Eve', 'évé', 'k-x', 'j-x', '..', 'a'.repeat(58), ''])
      expect(await add({ name })).toMatchObject({ code: 'invalid_body', field: 'name' });
    expect(await add({ role: 'nothing' })).toMatchObject({ code: 'invalid_body', field: 'role' });
    expect(await add({ password: 'short' })).toMatchObject({ code: 'invalid_body', field: 'password' });
    expect(await add({ name: 'alice' })).toMatchObject({ code: 'name_taken' });
  });

  it('cannot shut themselves out', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    expect((await root.ask('/api/users/root', { method: 'DELETE' })).status).toBe(403);
    expect((await root.ask('/api/users/root', { method: 'PATCH', body: { disabled: true } })).status).toBe(
      403,
    );
    expect((await root.ask('/api/users/root', { method: 'PATCH', body: { role: 'viewer' } })).status).toBe(
      403,
    );
  });
});

describe('the last admin', () => {
  it('stays, whoever asks, by whichever change; another admin makes it possible', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    const grants = { admin: true, read: ['*'] };
    const { key } = (await root.post('/api/keys', { name: 'fleet', service: true, ...grants })).body;
    const headers = { authorization: `Bearer ${key}` };
    const ask = async (path: string, method: string, body?: object) =>
      (await gateway.browser().ask(path, { method, headers, ...(body && { body }) })).body;
    const refused = { code: 'forbidden', detail: 'this is the last admin; add another one first' };
    expect(await ask('/api/users/root', 'DELETE')).toMatchObject(refused);
    expect(await ask('/api/users/root', 'PATCH', { role: 'member' })).toMatchObject(refused);
    expect(await ask('/api/users/root', 'PATCH', { disabled: true })).toMatchObject(refused);

    await ask('/api/roles', 'POST', { name: 'ops', admin: true });
    await ask('/api/users/alice', 'PATCH', { role: 'ops' });
    expect(await ask('/api/users/root', 'PATCH', { role: 'member' })).toMatchObject({ role: 'member' });
    expect(await ask('/api/roles/ops', 'PATCH', { admin: false })).toMatchObject(refused);
    expect(await ask('/api/users/bob', 'DELETE')).toBe('');
  });
});

describe('roles', () => {
  it('are made, changed, given and deleted when nobody has them', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    const made = await root.post('/api/roles', { name: 'team', read: ['logs:team*'] });
    const nothing = { publish: [], run: false, metrics: false, admin: false };
    expect(made).toMatchObject({
      status: 201,
      body: { builtIn: false, grants: { read: ['logs:team*'], ...nothing } },
    });
    expect((await root.post('/api/roles', { name: 'team' })).body).toMatchObject({ code: 'name_taken' });
    const changed = await root.ask('/api/roles/team', { method: 'PATCH', body: { run: true } });
    expect(changed.body.grants).toMatchObject({ read: ['logs:team*'], run: true });
    await root.ask('/api/users/alice', { method: 'PATCH', body: { role: 'team' } });
    expect((await root.ask('/api/roles/team', { method: 'DELETE' })).body).toMatchObject({
      code: 'role_in_use',
    });
    await root.ask('/api/users/alice', { method: 'PATCH', body: { role: 'viewer' } });
    expect((await root.ask('/api/roles/team', { method: 'DELETE' })).status).toBe(204);
    expect((await root.ask('/api/roles/team', { method: 'DELETE' })).status).toBe(404);
  });

  it('that are built in stay as they are', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    expect((await root.ask('/api/roles/viewer', { method: 'PATCH', body: { admin: true } })).status).toBe(
      403,
    );
    expect((await root.ask('/api/roles/admin', { method: 'DELETE' })).status).toBe(403);
  });
});

describe('keys', () => {
  it('are shown once, expire in a year, and end when they are revoked', async () => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    const { body } = await alice.post('/api/keys', { name: 'ci', read: ['logs*'], source: 'ci-*' });
    expect(body.key).toMatch(/^lls_[a-z0-9]{8}_\w{43}_\w{6}$/);
    expect(body).toMatchObject({ user: 'alice', source: 'ci-*', lastUsed: 0 });
    expect(body.expires - body.created).toBe(365 * 86_400_000);
    const headers = { authorization: `Bearer ${body.key}` };
    const program = gateway.browser();
    expect((await program.ask('/auth/profile', { headers })).body).toMatchObject({ kind: 'key', name: 'ci' });
    expect((await alice.ask(`/api/keys/${body.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await program.ask('/auth/profile', { headers })).status).toBe(401);
  });

  it('allow no more than their person may where AUTH is on, where it is only reported what that would refuse', async () => {
    gateway = await openAuthGateway({ AUTH: 'report' });
    await gateway.store.changeUser('alice', { role: 'viewer' });
    const alice = await gateway.signedIn('alice');
    for (const wider of [{ publish: ['logs'] }, { run: true }, { read: ['runs:*'] }])
      expect(await alice.post('/api/keys', { name: 'k', ...wider })).toMatchObject({ status: 403 });
    expect((await alice.post('/api/keys', { name: 'k', read: ['logs*'] })).status).toBe(201);
  });

  it('of services belong to nobody, and are made by admins', async () => {
    gateway = await openAuthGateway();
    const root = await gateway.signedIn('root');
    const { body } = await root.post('/api/keys', { name: 'fleet', publish: ['logs*'], service: true });
    expect(body).not.toHaveProperty('user');
    await gateway.store.deleteUser('root', { force: true });
    const headers = { authorization: `Bearer ${body.key}` };
    expect((await gateway.browser().ask('/auth/profile', { headers })).body).toMatchObject({
      owner: `k-${body.id}`,
    });
  });

  it.each([0, 1, Date.now() + 1e14, 'tomorrow'])('do not expire at %j', async (expires) => {
    gateway = await openAuthGateway();
    const alice = await gateway.signedIn('alice');
    expect((await alice.post('/api/keys', { name: 'ci', expires })).body).toMatchObject({ field: 'expires' });
  });
});
