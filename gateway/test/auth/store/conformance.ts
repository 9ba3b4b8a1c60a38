// What every store of people, roles, keys and sessions must do. Two stores on the same records stand for two processes.
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { NO_GRANTS } from '../../../src/auth/principal.ts';
import {
  type ApiKey,
  type AuthStore,
  LEAVING_MS,
  MAX_CHANGES,
  MAX_KEYS,
  MAX_SESSIONS,
  SESSION_IDLE_MS,
  type Session,
  sessionId,
  type User,
} from '../../../src/auth/store/auth-store.ts';
import { LastAdmin } from '../../../src/auth/store/last-admin.ts';

export interface StoresUnderTest {
  store: AuthStore;
  /** The same records, as another process sees them. */
  other: AuthStore;
}

export function user(name: string, more: Partial<User> = {}): User {
  return {
    name,
    passwordHash: '$scrypt$ln=15,r=8,p=3$c2FsdA$aGFzaA',
    role: 'member',
    disabled: false,
    created: 1,
    ...more,
  };
}

export function apiKey(id: string, more: Partial<ApiKey> = {}): ApiKey {
  const created = 1_000;
  return {
    id,
    digest: digestOf(id),
    name: 'ci',
    grants: { ...NO_GRANTS, publish: ['logs:ci*'] },
    created,
    expires: created + 86_400_000,
    lastUsed: 0,
    ...more,
  };
}

export function session(name: string, owner: string, more: Partial<Session> = {}): Session {
  const now = Date.now();
  return {
    digest: digestOf(name),
    user: owner,
    created: now,
    seen: now,
    expires: now + 86_400_000,
    address: '10.0.0.1',
    agent: 'test',
    ...more,
  };
}

/** 64 hexadecimal digits that differ for different names. */
function digestOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0');
}

const idOf = (name: string) => sessionId({ digest: digestOf(name) });

export function testAuthStore(make: () => Promise<StoresUnderTest>): void {
  describe('people', () => {
    it('are found by their names, by all processes', async () => {
      const { store, other } = await make();
      expect(await store.addUser(user('alice'))).toBe(true);
      expect(await store.addUser(user('alice', { role: 'admin' }))).toBe(false);
      expect(await other.user('alice')).toEqual(user('alice'));
      expect(await other.user('bob')).toBeUndefined();
      await store.addUser(user('bob'));
      expect((await other.users()).map(({ name }) => name).sort()).toEqual(['alice', 'bob']);
    });

    it.each(['__proto__', 'constructor', 'toString'])(
      'of no name of JavaScript’s own exist: %s',
      async (name) => {
        const { store } = await make();
        expect(await store.user(name)).toBeUndefined();
        expect(await store.changeUser(name, { disabled: true })).toBe(false);
        expect(await store.deleteUser(name)).toBe(false);
        expect(await store.sessionsOf(name)).toEqual([]);
        await store.addUser(user(name));
        expect(await store.users()).toEqual([user(name)]);
        expect(({} as Record<string, unknown>).role).toBeUndefined();
      },
    );

    it('change in what is named and in nothing else', async () => {
      const { store, other } = await make();
      await store.addUser(user('alice'));
      expect(await other.changeUser('alice', { role: 'viewer' })).toBe(true);
      expect(await store.user('alice')).toEqual(user('alice', { role: 'viewer' }));
      expect(await other.changeUser('alice', { disabled: true })).toBe(true);
      expect(await store.user('alice')).toEqual(user('alice', { role: 'viewer', disabled: true }));
      expect(await store.changeUser('bob', { role: 'admin' })).toBe(false);
      expect(await store.user('bob')).toBeUndefined();
    });

    it('leave no keys and sessions behind', async () => {
      const { store, other } = await make();
      await store.addUser(user('alice'));
      await store.addKey(apiKey('alicekey', { user: 'alice' }));
      await store.addKey(apiKey('service1'));
      await store.addSession(session('s1', 'alice'));
      expect(await other.deleteUser('alice')).toBe(true);
      expect(await store.deleteUser('alice')).toBe(false);
      expect(await store.user('alice')).toBeUndefined();
      expect((await store.keys()).map(({ id }) => id)).toEqual(['service1']);
      expect(await store.keyByDigest(digestOf('alicekey'))).toBeUndefined();
      expect(await store.sessionByDigest(digestOf('s1'), Date.now())).toBeUndefined();
      await store.addUser(user('alice')); // the next one of this name
      expect(await store.sessionsOf('alice')).toEqual([]);
    });

    it.each([
      ['a new password', { passwordHash: '$scrypt$ln=15,r=8,p=3$c2FsdA$bmV3' }, 0],
      ['being disabled', { disabled: true }, 0],
      ['another role', { role: 'viewer' }, 1],
    ])('%s: sessions left %s', async (_, change, left) => {
      const { store, other } = await make();
      await store.addUser(user('alice'));
      await store.addUser(user('bob'));
      await store.addSession(session('s1', 'alice'));
      await store.addSession(session('s2', 'bob'));
      await other.changeUser('alice', change);
      expect(await store.sessionsOf('alice')).toHaveLength(left);
      expect(await store.sessionsOf('bob')).toHaveLength(1);
    });
  });

  it('a new password is not set over another one that was set in the meantime', async () => {
    const { store, other } = await make();
    await store.addUser(user('alice'));
    const ifPasswordHash = user('alice').passwordHash;
    expect(await other.changeUser('alice', { passwordHash: 'of an admin' })).toBe(true);
    expect(await store.changeUser('alice', { passwordHash: 'late' }, { ifPasswordHash })).toBe(false);
    expect(await store.user('alice')).toMatchObject({ passwordHash: 'of an admin' });
    const now = { ifPasswordHash: 'of an admin' };
    expect(await store.changeUser('alice', { passwordHash: 'next' }, now)).toBe(true);
  });

  describe('the last admin', () => {
    type Step = (store: AuthStore, name: string, force?: boolean) => Promise<unknown>;
    const ops = { name: 'ops', grants: { ...NO_GRANTS, admin: true } };
    const ofPeople: [string, Step][] = [
      ['a lower role', (s, name, force) => s.changeUser(name, { role: 'viewer' }, { force })],
      ['a role that there is not', (s, name, force) => s.changeUser(name, { role: 'gone' }, { force })],
      ['being disabled', (s, name, force) => s.changeUser(name, { disabled: true }, { force })],
      ['being deleted', (s, name, force) => s.deleteUser(name, { force })],
    ];
    const ofRole: Step = (s, _, force) => s.setRole({ ...ops, grants: NO_GRANTS }, { force });

    it.each([...ofPeople, ['a role that loses the right', ofRole] as const])(
      'is not taken by %s, without force',
      async (_, step) => {
        const { store, other } = await make();
        await store.setRole(ops);
        await store.addUser(user('ann', { role: 'ops' }));
        await store.addUser(user('bea', { role: 'admin', disabled: true })); // nobody can sign in as this one
        await store.addUser(user('carl'));
        const before = await other.revision();
        await expect(step(other, 'ann')).rejects.toThrow(LastAdmin);
        expect(await store.user('ann')).toEqual(user('ann', { role: 'ops' }));
        expect(await store.roles()).toEqual([ops]);
        expect(await other.revision()).toBe(before);
        await store.changeUser('bea', { disabled: false });
        await step(other, 'ann');
        await expect(store.deleteUser('bea')).rejects.toThrow(LastAdmin);
        await store.deleteUser('bea', { force: true });
        await step(other, 'ann'); // where there is none, everything may be changed
      },
    );

    it('stays when two take the right from each other at once, by whichever changes', async () => {
      const { store, other } = await make();
      for (const [, one] of ofPeople)
        for (const [, another] of ofPeople) {
          for (const name of ['ann', 'bea']) {
            await store.deleteUser(name, { force: true });
            await store.addUser(user(name, { role: 'admin' }));
          }
          const both = await Promise.allSettled([one(store, 'bea'), another(other, 'ann')]);
          expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
          const left = (await store.users()).filter(({ role, disabled }) => role === 'admin' && !disabled);
          expect(left).toHaveLength(1);
        }
    });
  });

  describe('roles', () => {
    const grants = { ...NO_GRANTS, read: ['logs:team-a*'] };

    it('are set, replaced and deleted', async () => {
      const { store, other } = await make();
      await store.setRole({ name: 'team-a', grants: NO_GRANTS });
      await store.setRole({ name: 'team-a', grants });
      expect(await other.roles()).toEqual([{ name: 'team-a', grants }]);
      expect(await other.deleteRole('team-a')).toBe(true);
      expect(await other.deleteRole('team-a')).toBe(false);
      expect(await store.roles()).toEqual([]);
    });

    it('that somebody has stay', async () => {
      const { store } = await make();
      await store.setRole({ name: 'team-a', grants });
      await store.addUser(user('alice', { role: 'team-a' }));
      expect(await store.deleteRole('team-a')).toBe(false);
      await store.changeUser('alice', { role: 'viewer' });
      expect(await store.deleteRole('team-a')).toBe(true);
    });
  });

  describe('keys', () => {
    it('are found by their digest, with all that they were given', async () => {
      const { store, other } = await make();
      const made = apiKey('8f3k2m1p', { source: 'ci-*', user: 'alice' });
      expect(await store.addKey(made)).toBe(true);
      expect(await other.keyByDigest(made.digest)).toEqual(made);
      expect(await other.keyByDigest(digestOf('another'))).toBeUndefined();
      expect(await store.addKey({ ...made, digest: digestOf('another') })).toBe(false);
    });

    it('that were revoked are gone', async () => {
      const { store, other } = await make();
      const made = apiKey('8f3k2m1p');
      await store.addKey(made);
      expect(await other.revokeKey(made.id)).toBe(true);
      expect(await store.keyByDigest(made.digest)).toBeUndefined();
      expect(await store.keys()).toEqual([]);
      expect(await other.revokeKey(made.id)).toBe(false);
    });

    it('note their use once a minute', async () => {
      const { store, other } = await make();
      await store.addKey(apiKey('8f3k2m1p'));
      for (const now of [100_000, 101_000, 159_999]) await other.keyUsed('8f3k2m1p', now);
      expect(await store.keys()).toMatchObject([{ lastUsed: 100_000 }]);
      await other.keyUsed('8f3k2m1p', 160_000);
      expect(await store.keyByDigest(digestOf('8f3k2m1p'))).toMatchObject({ lastUsed: 160_000 });
      await store.keyUsed('nokey000', 1);
      expect(await store.keys()).toHaveLength(1);
    });

    it(`of one person are at most ${MAX_KEYS}`, async () => {
      const { store } = await make();
      const add = (n: number) => store.addKey(apiKey(`key${String(n).padStart(5, '0')}`, { user: 'alice' }));
      for (let n = 0; n < MAX_KEYS; n++) expect(await add(n)).toBe(true);
      expect(await add(MAX_KEYS)).toBe(false);
      expect(await store.addKey(apiKey('bobskey0', { user: 'bob' }))).toBe(true);
      await store.revokeKey('key00000');
      expect(await add(MAX_KEYS)).toBe(true);
    });
  });

  describe('sessions', () => {
    it('are found by their digest and by their person', async () => {
      const { store, other } = await make();
      const external = { name: 'Alice A.', owner: 'j-abc', roles: ['viewer'], until: 1_900_000_000_000 };
      const begun = session('s1', 'j-abc', { external });
      await store.addSession(begun);
      await store.addSession(session('s2', 'bob'));
      expect(await other.sessionByDigest(begun.digest, Date.now())).toEqual(begun);
      expect(await other.sessionsOf('j-abc')).toEqual([begun]);
      expect(await other.sessionOf('j-abc', idOf('s1'))).toEqual(begun);
      expect(await other.sessionOf('bob', idOf('s1'))).toBeUndefined();
      expect(await other.sessionOf('bob', idOf('s3'))).toBeUndefined();
      expect(await other.sessionByDigest(digestOf('s3'), Date.now())).toBeUndefined();
    });

    it('are over by their age, and unused for long', async () => {
      const { store } = await make();
      const now = Date.now();
      await store.addSession(session('s1', 'alice', { seen: now, expires: now + 3_600_000 }));
      await store.addSession(session('s2', 'alice', { seen: now }));
      const found = async (name: string, then: number) =>
        (await store.sessionByDigest(digestOf(name), then)) !== undefined;
      expect(await found('s1', now + 3_599_999)).toBe(true);
      expect(await found('s1', now + 3_600_000)).toBe(false);
      expect(await found('s2', now + SESSION_IDLE_MS)).toBe(true);
      expect(await found('s2', now + SESSION_IDLE_MS + 1)).toBe(false);
      await store.sessionUsed(digestOf('s2'), now + 3_600_000);
      expect(await found('s2', now + SESSION_IDLE_MS + 3_600_000)).toBe(true);
    });

    it('of a person with a new password end, but the one that leaves stays for a moment', async () => {
      const { store, other } = await make();
      await store.addUser(user('alice'));
      for (const name of ['s1', 's2']) await store.addSession(session(name, 'alice'));
      const now = Date.now();
      await other.changeUser('alice', { passwordHash: 'x' }, { leaving: idOf('s1') });
      expect(await store.sessionByDigest(digestOf('s2'), now)).toBeUndefined();
      expect(await store.sessionByDigest(digestOf('s1'), now)).toBeDefined();
      expect(await store.sessionByDigest(digestOf('s1'), now + 2 * LEAVING_MS)).toBeUndefined();
      expect(await store.sessionsOf('alice')).toMatchObject([{ digest: digestOf('s1'), agent: 'test' }]);
      const leaving = idOf('s1');
      await other.changeUser('alice', { disabled: true, passwordHash: 'y' }, { leaving });
      expect(await store.sessionsOf('alice')).toEqual([]);
    });

    it('that are over are listed no more', async () => {
      const { store } = await make();
      const now = Date.now();
      await store.addSession(session('s1', 'alice', { expires: now - 1 }));
      await store.addSession(session('s2', 'alice', { seen: now - SESSION_IDLE_MS - 1 }));
      await store.addSession(session('s3', 'alice'));
      expect(await store.sessionsOf('alice')).toMatchObject([{ digest: digestOf('s3') }]);
    });

    it('note their use once a minute', async () => {
      const { store, other } = await make();
      const begun = session('s1', 'alice');
      await store.addSession(begun);
      await other.sessionUsed(begun.digest, begun.seen + 59_999);
      expect(await store.sessionByDigest(begun.digest, begun.seen)).toEqual(begun);
      await other.sessionUsed(begun.digest, begun.seen + 60_000);
      expect(await store.sessionByDigest(begun.digest, begun.seen)).toMatchObject({
        seen: begun.seen + 60_000,
      });
      await store.sessionUsed(digestOf('s2'), begun.seen);
      expect(await store.sessionByDigest(digestOf('s2'), begun.seen)).toBeUndefined();
    });

    it('end one by one, and only by their own person', async () => {
      const { store, other } = await make();
      await store.addSession(session('s1', 'alice'));
      await store.addSession(session('s2', 'alice'));
      expect(await other.endSession('bob', idOf('s1'))).toBe(false);
      expect(await other.endSession('alice', idOf('s1'))).toBe(true);
      expect(await other.endSession('alice', idOf('s1'))).toBe(false);
      expect(await store.sessionByDigest(digestOf('s1'), Date.now())).toBeUndefined();
      expect(await store.sessionsOf('alice')).toHaveLength(1);
    });

    it('end all at once, but for one', async () => {
      const { store, other } = await make();
      for (const name of ['s1', 's2', 's3']) await store.addSession(session(name, 'alice'));
      await store.addSession(session('s4', 'bob'));
      expect(await other.endSessions('alice', idOf('s2'))).toBe(2);
      expect(await store.sessionsOf('alice')).toMatchObject([{ digest: digestOf('s2') }]);
      expect(await other.endSessions('alice')).toBe(1);
      expect(await other.endSessions('alice')).toBe(0);
      expect(await store.sessionsOf('bob')).toHaveLength(1);
    });

    it(`of one person are at most ${MAX_SESSIONS}: the oldest ends`, async () => {
      const { store } = await make();
      const now = Date.now();
      for (let n = 0; n <= MAX_SESSIONS; n++)
        await store.addSession(session(`s${n}`, 'alice', { created: now - 1_000 + n }));
      const left = await store.sessionsOf('alice');
      expect(left).toHaveLength(MAX_SESSIONS);
      expect(left.at(-1)).toMatchObject({ digest: digestOf('s1') });
      expect(left[0]).toMatchObject({ digest: digestOf(`s${MAX_SESSIONS}`) });
    });
  });

  describe('the revision', () => {
    type Step = (store: AuthStore) => Promise<unknown>;
    const changes: [string, Step, string[]][] = [
      ['a role lowered', (s) => s.changeUser('alice', { role: 'viewer' }), ['key:alicekey', 'user:alice']],
      [
        'a person disabled',
        (s) => s.changeUser('alice', { disabled: true }),
        ['key:alicekey', `session:${idOf('s1')}`, 'user:alice'],
      ],
      ['a new password', (s) => s.changeUser('alice', { passwordHash: 'x' }), [`session:${idOf('s1')}`]],
      [
        'a person deleted',
        (s) => s.deleteUser('alice'),
        ['key:alicekey', `session:${idOf('s1')}`, 'user:alice'],
      ],
      ['a key added', (s) => s.addKey(apiKey('service2')), ['added:key:service2']],
      ['a key revoked', (s) => s.revokeKey('service1'), ['key:service1']],
      ['one session ended', (s) => s.endSession('alice', idOf('s1')), [`session:${idOf('s1')}`]],
      ['all sessions ended', (s) => s.endSessions('alice'), [`session:${idOf('s1')}`]],
      ['a role set', (s) => s.setRole({ name: 'team-a', grants: NO_GRANTS }), ['*']],
    ];
    const filled = async () => {
      const { store, other } = await make();
      await store.addUser(user('alice'));
      await store.addUser(user('bob'));
      await store.addKey(apiKey('alicekey', { user: 'alice' }));
      await store.addKey(apiKey('service1'));
      await store.addSession(session('s1', 'alice'));
      await store.addSession(session('s2', 'bob'));
      return { store, other };
    };

    it.each(changes)(
      'grows with %s, and names whom it concerns, to all processes',
      async (_, step, concerned) => {
        const { store, other } = await filled();
        const [before, known] = [await store.revision(), await other.revision()];
        await step(store);
        const change = await store.changesSince(before);
        expect(change.revision).toBeGreaterThan(before);
        expect([...change.principals].sort()).toEqual(concerned);
        const heard = await other.changesSince(known);
        expect([...heard.principals].sort()).toEqual(concerned);
        expect(heard.revision).toBe(await other.revision());
        expect(await other.changesSince(heard.revision)).toEqual({
          revision: heard.revision,
          principals: [],
        });
      },
    );

    it.each<[string, Step]>([
      ['somebody whom there is not', (s) => s.changeUser('carol', { role: 'admin' })],
      ['a key that there is not', (s) => s.revokeKey('nokey000')],
      ['a use of a key', (s) => s.keyUsed('service1', Date.now())],
      ['a use of a session', (s) => s.sessionUsed(session('s1', 'alice').digest, Date.now() + 120_000)],
      ['a new session', (s) => s.addSession(session('s3', 'alice'))],
      ['ending no session', (s) => s.endSessions('carol')],
    ])('does not grow with %s', async (_, step) => {
      const { store } = await filled();
      const before = await store.revision();
      await step(store);
      expect(await store.revision()).toBe(before);
    });

    it('sums up what was missed', async () => {
      const { store, other } = await filled();
      const known = await other.revision();
      await store.changeUser('bob', { role: 'viewer' });
      await store.revokeKey('service1');
      await store.changeUser('bob', { role: 'admin' });
      expect([...(await other.changesSince(known)).principals].sort()).toEqual(['key:service1', 'user:bob']);
    });

    it('that it does not know stands for everybody', async () => {
      const { store } = await filled();
      const now = await store.revision();
      expect((await store.changesSince(1)).principals).toEqual(['*']);
      expect((await store.changesSince(now + 1)).principals).toEqual(['*']);
    });

    it('of long ago stands for everybody', async () => {
      const { store } = await filled();
      const before = await store.revision();
      for (let n = 0; n <= MAX_CHANGES; n++)
        await store.changeUser('bob', { role: n % 2 === 0 ? 'viewer' : 'member' });
      expect((await store.changesSince(before)).principals).toEqual(['*']);
    }, 60_000);

    it('is announced to all processes, until one does not listen any more', async () => {
      const { store, other } = await filled();
      const heard = { store: 0, other: 0 };
      const stop = store.onChange(() => heard.store++);
      other.onChange(() => heard.other++);
      await eventually('both hear a change', async () => {
        await store.changeUser('alice', { role: heard.other % 2 === 0 ? 'viewer' : 'member' });
        return heard.store > 0 && heard.other > 0;
      });
      stop();
      const before = { ...heard };
      await eventually('one hears another change', async () => {
        await store.changeUser('bob', { disabled: heard.other % 2 === 0 });
        await store.changeUser('bob', { disabled: heard.other % 2 !== 0 });
        return heard.other > before.other;
      });
      expect(heard.store).toBe(before.store);
    });
  });
}
