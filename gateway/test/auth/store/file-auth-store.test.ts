import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { apiKey, session, testAuthStore, user } from './conformance.ts';

const folders: string[] = [];
const open: FileAuthStore[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'auth-file-'));
  folders.push(folder);
  return join(folder, 'auth.json');
}

async function openStore(path?: string, onBroken?: (reason: string) => void): Promise<FileAuthStore> {
  const store = await FileAuthStore.open({ path, pollMs: 20, ...(onBroken && { onBroken }) });
  open.push(store);
  return store;
}

describe('in a file', () => {
  testAuthStore(async () => {
    const path = await newPath();
    return { store: await openStore(path), other: await openStore(path) };
  });
});

describe('in memory', () => {
  testAuthStore(async () => {
    const store = await openStore();
    return { store, other: store };
  });
});

describe('AUTH_FILE', () => {
  it('in a folder that does not exist, or that is a folder, is refused with what is wrong', async () => {
    const path = await newPath();
    await expect(openStore(join(path, 'auth.json'))).rejects.toMatchObject({
      code: 'invalid_config',
      message: `AUTH_FILE ${path}/auth.json: there is no folder ${path}`,
    });
    await expect(openStore(join(path, '..'))).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/: it is a folder: name a file in it$/),
    });
  });

  it('tells whose rights others have changed in it, and nothing of its own changes or of sessions that are over', async () => {
    const path = await newPath();
    const [store, other] = [await openStore(path), await openStore(path)];
    const edited: string[] = [];
    store.onEdited((principals) => edited.push(...principals));
    await store.addUser(user('alice'));
    await store.addSession(session('s1', 'alice', { expires: 1 }));
    await store.users();
    expect(edited).toEqual([]);
    await other.changeUser('alice', { role: 'admin' });
    await store.users();
    expect(edited).toEqual(['user:alice']);
  });

  it('is readable by its owner alone, and nothing else is left beside it', async () => {
    const path = await newPath();
    const store = await openStore(path);
    await store.addUser(user('alice'));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await store.addUser(user('bob'));
    expect(await readdir(join(path, '..'))).toEqual(['auth.json']);
  });

  it('keeps all over a restart, sessions too', async () => {
    const path = await newPath();
    const before = await openStore(path);
    await before.addUser(user('alice'));
    await before.addKey(apiKey('8f3k2m1p'));
    const begun = session('s1', 'alice');
    await before.addSession(begun);
    await before.close();
    const after = await openStore(path);
    expect(await after.users()).toEqual([user('alice')]);
    expect(await after.keys()).toEqual([apiKey('8f3k2m1p')]);
    expect(await after.sessionByDigest(begun.digest, Date.now())).toEqual(begun);
  });

  it.each([0o644, 0o640, 0o604, 0o602])(
    '41: that others may read or write is refused: mode %o',
    async (mode) => {
      const path = await newPath();
      await (await openStore(path)).addUser(user('alice'));
      await chmod(path, mode);
      await expect(FileAuthStore.open({ path })).rejects.toMatchObject({
        code: 'invalid_config',
        message: `AUTH_FILE ${path}: others may read it: chmod 600`,
      });
    },
  );

  it.each([
    ['not JSON', '{"users": [secret'],
    ['null', 'null'],
    ['another version', '{"version":2,"users":[],"roles":[],"keys":[],"sessions":[]}'],
    ['a user without a role', '{"version":1,"users":[{"name":"x"}],"roles":[],"keys":[],"sessions":[]}'],
    ['an unknown field', '{"version":1,"users":[],"roles":[],"keys":[],"sessions":[],"admins":[]}'],
  ])('41: that is broken stops the start, and is not quoted: %s', async (_, content) => {
    const path = await newPath();
    await writeFile(path, content, { mode: 0o600 });
    const refusal = await FileAuthStore.open({ path }).catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'invalid_config' });
    expect((refusal as Error).message).toContain(`AUTH_FILE ${path}: `);
    expect((refusal as Error).message).not.toContain('secret');
  });

  it('41: a broken, half-written, readable or vanished one keeps the last good content', async () => {
    const path = await newPath();
    const reasons: string[] = [];
    const store = await openStore(path, (reason) => reasons.push(reason));
    await store.addUser(user('alice'));
    const good = await readFile(path, 'utf8');
    const alice = async () => expect(await store.user('alice')).toEqual(user('alice'));

    await writeFile(path, good.slice(0, good.length / 2));
    await alice();
    await alice();
    expect(reasons).toEqual(['not JSON']);
    await expect(store.addUser(user('bob'))).rejects.toMatchObject({ code: 'broker_unavailable' });
    expect(await readFile(path, 'utf8')).toBe(good.slice(0, good.length / 2)); // the edit is not lost

    await writeFile(path, good);
    await chmod(path, 0o644);
    await alice();
    await rm(path);
    await alice();
    expect(reasons).toEqual(['not JSON', 'others may read it: chmod 600', 'is not there any more, or empty']);

    await writeFile(path, good, { mode: 0o600 });
    expect(await store.addUser(user('bob'))).toBe(true);
  });

  it('41: one that is replaced by an editor tells whose rights have changed', async () => {
    const path = await newPath();
    const store = await openStore(path);
    for (const name of ['alice', 'bob', '__proto__']) await store.addUser(user(name));
    const before = await store.epoch();
    const heard = Promise.withResolvers<void>();
    store.onChange(() => heard.resolve());
    const content = JSON.parse(await readFile(path, 'utf8'));
    content.users[1].disabled = true;
    content.users.splice(2, 1);
    await writeFile(`${path}.edited`, JSON.stringify(content), { mode: 0o600 });
    await rename(`${path}.edited`, path);
    await heard.promise;
    expect([...(await store.changesSince(before)).principals].sort()).toEqual(['user:__proto__', 'user:bob']);
    expect(await store.user('bob')).toMatchObject({ disabled: true });
  });

  it('that is put back to an older state says whose rights that changes', async () => {
    const path = await newPath();
    const store = await openStore(path);
    await store.addUser(user('alice'));
    await store.addKey(apiKey('8f3k2m1p'));
    const old = await readFile(path, 'utf8');
    await store.revokeKey('8f3k2m1p');
    const before = await store.epoch();
    await writeFile(path, old);
    expect(await store.changesSince(before)).toMatchObject({ principals: ['added:key:8f3k2m1p'] });
    expect(await store.epoch()).toBeGreaterThan(before);
  });

  it('that is a link stays one', async () => {
    const path = await newPath();
    await (await openStore(path)).addUser(user('alice'));
    await symlink(path, `${path}.link`);
    await (await openStore(`${path}.link`)).addUser(user('bob'));
    expect(await (await openStore(path)).users()).toHaveLength(2);
  });

  it('loses no change where several processes change it at once', async () => {
    const path = await newPath();
    const stores = await Promise.all([1, 2, 3].map(() => openStore(path)));
    await Promise.all(
      stores.flatMap((store, i) => [0, 1, 2, 3, 4].map((n) => store.addUser(user(`user-${i}-${n}`)))),
    );
    for (const store of stores) expect(await store.users()).toHaveLength(15);
  });

  it('whose folder is gone cannot be written: that is said, and nobody is unknown for it', async () => {
    const path = await newPath();
    const store = await openStore(path);
    await rm(join(path, '..'), { recursive: true });
    await expect(store.addUser(user('alice'))).rejects.toMatchObject({ code: 'broker_unavailable' });
  });

  it('that another process has locked can be read all the same', async () => {
    const path = await newPath();
    const store = await openStore(path);
    await store.addUser(user('alice'));
    await writeFile(`${path}.lock`, '');
    const change = store.addUser(user('bob'));
    expect(await store.users()).toEqual([user('alice')]);
    await rm(`${path}.lock`);
    expect(await change).toBe(true);
  });

  it('left locked by a process that was killed is taken over', async () => {
    const path = await newPath();
    const store = await openStore(path);
    await writeFile(`${path}.lock`, '');
    await utimes(`${path}.lock`, 1, 1);
    expect(await store.addUser(user('alice'))).toBe(true);
    await eventually('the lock is gone', async () => (await readdir(join(path, '..'))).length === 1);
  });
});
