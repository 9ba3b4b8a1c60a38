// Keys and sessions as principals, against a real store.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { ApiKeys, makeApiKey, parseApiKey } from '../../../src/auth/credentials/api-keys.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import { type Grants, NO_GRANTS } from '../../../src/auth/principal.ts';
import { type ApiKey, SESSION_IDLE_MS, SESSION_MAX_MS } from '../../../src/auth/store/auth-store.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { apiKey as record, user } from '../store/conformance.ts';

/** A store that counts what is looked up. */
class CountingStore {
  lookUps = 0;
  readonly store: FileAuthStore;

  constructor(store: FileAuthStore) {
    this.store = store;
    const ask = store.keyByDigest.bind(store);
    store.keyByDigest = (digest) => {
      this.lookUps++;
      return ask(digest);
    };
  }
}

async function setUp() {
  const store = await FileAuthStore.open();
  const counter = new CountingStore(store);
  const clock = { now: 10_000_000 };
  const keys = new ApiKeys(store, () => clock.now);
  const sessions = new Sessions(store, () => clock.now);
  const addKey = async (more: Partial<ApiKey>) => {
    const { id, key, digest } = makeApiKey();
    await store.addKey(record(id, { digest, expires: clock.now + 1_000, ...more }));
    return { id, key };
  };
  return { store, counter, clock, keys, sessions, addKey };
}

const grants = (more: Partial<Grants>): Grants => ({ ...NO_GRANTS, ...more });

describe('an API key', () => {
  it('is what the form says, different each time, and read back', () => {
    const made = makeApiKey();
    expect(made.key).toMatch(/^lls_[a-z0-9]{8}_[A-Za-z0-9]{43}_[A-Za-z0-9]{6}$/);
    expect(parseApiKey(made.key)).toEqual({ id: made.id, digest: made.digest });
    expect(makeApiKey().key).not.toBe(made.key);
  });

  it('44: that is mistyped or made up costs no look-up', async () => {
    const { counter, keys, addKey } = await setUp();
    const { key } = await addKey({});
    const damaged = fc.record({ at: fc.nat(key.length - 1), letter: fc.constantFrom(...'aZ0_*\u0000é') });
    await fc.assert(
      fc.asyncProperty(damaged, async ({ at, letter }) => {
        fc.pre(key[at] !== letter);
        expect(await keys.principalOf(key.slice(0, at) + letter + key.slice(at + 1))).toBeUndefined();
      }),
    );
    for (const text of ['', 'lls_', `${key}x`, ` ${key}`, `${key}\n`, '__proto__', 'x'.repeat(60_000)])
      expect(await keys.principalOf(text)).toBeUndefined();
    expect(counter.lookUps).toBe(0);
  });

  it('of a service is its own principal, with runs of its own', async () => {
    const { keys, clock, addKey } = await setUp();
    const { id, key } = await addKey({ grants: grants({ publish: ['logs:ci*'] }), source: 'ci-*' });
    expect(await keys.principalOf(key)).toEqual({
      id: `key:${id}`,
      kind: 'key',
      name: 'ci',
      owner: `k-${id}`,
      grants: grants({
        publish: ['logs:ci*'],
        read: [`runs:k-${id}/*`, `conversations:k-${id}/*`, `events:runs:k-${id}`],
      }),
      source: 'ci-*',
      expires: clock.now + 1_000,
    });
  });

  it('ends when it says, and at once if it is revoked', async () => {
    const { store, keys, clock, addKey } = await setUp();
    const one = await addKey({});
    const other = await addKey({ expires: clock.now + 5_000 });
    expect(await keys.principalOf(one.key)).toBeDefined();
    clock.now += 1_000;
    expect(await keys.principalOf(one.key)).toBeUndefined();
    expect(await keys.principalOf(other.key)).toBeDefined();
    await store.revokeKey(other.id);
    expect(await keys.principalOf(other.key)).toBeUndefined();
  });

  it('39: of a person never allows more than the person may, whatever it was given', async () => {
    const { store, keys, addKey } = await setUp();
    await store.setRole({ name: 'team-a', grants: grants({ read: ['logs:team-a*'], run: true }) });
    await store.addUser(user('alice', { role: 'team-a' }));
    const all = { read: ['*', 'runs:*', 'audit:*'], publish: ['*'], run: true, metrics: true, admin: true };
    const { key } = await addKey({ user: 'alice', grants: all });
    expect(await keys.principalOf(key)).toMatchObject({
      owner: 'alice',
      grants: {
        read: ['logs:team-a*', 'runs:alice/*', 'conversations:alice/*', 'events:runs:alice'],
        publish: [],
        run: true,
        metrics: false,
        admin: false,
      },
    });
    await store.changeUser('alice', { role: 'viewer' });
    expect(await keys.principalOf(key)).toMatchObject({ grants: { publish: [], run: false, admin: false } });
  });

  it('of a person that may only publish does not read the person’s conversations', async () => {
    const { store, keys, addKey } = await setUp();
    await store.addUser(user('alice', { role: 'admin' }));
    const { key } = await addKey({ user: 'alice', grants: grants({ publish: ['logs:*'] }) });
    expect(await keys.principalOf(key)).toMatchObject({ grants: { read: [], publish: ['logs:*'] } });
  });

  it('of a person ends with the person', async () => {
    const { store, keys, addKey } = await setUp();
    await store.addUser(user('alice'));
    const { key } = await addKey({ user: 'alice' });
    await store.changeUser('alice', { disabled: true });
    expect(await keys.principalOf(key)).toBeUndefined();
    await store.changeUser('alice', { disabled: false });
    expect(await keys.principalOf(key)).toBeDefined();
    await store.deleteUser('alice');
    expect(await keys.principalOf(key)).toBeUndefined();
  });

  it('with hostile stars allows nothing instead of taking long', async () => {
    const { store, keys, addKey } = await setUp();
    const stars = Array.from({ length: 50 }, (_, i) => `${'a'.repeat(40)}*${i}*${'b'.repeat(40)}*c*d`);
    await store.setRole({ name: 'stars', grants: grants({ read: stars.map((text) => `a*${text}`) }) });
    await store.addUser(user('alice', { role: 'stars' }));
    const { key } = await addKey({ user: 'alice', grants: grants({ read: stars }) });
    expect(await keys.principalOf(key)).toBeUndefined();
  });

  it('notes when it was used', async () => {
    const { store, keys, clock, addKey } = await setUp();
    const { key } = await addKey({});
    await keys.principalOf(key);
    const noted = async () => (await store.keys())[0]?.lastUsed === clock.now;
    await eventually('the use is noted', noted);
  });
});

describe('a session', () => {
  const start = { user: 'alice', address: '10.0.0.1', agent: 'x'.repeat(500) };

  it('is a person, from its token', async () => {
    const { store, sessions, clock } = await setUp();
    await store.addUser(user('alice', { role: 'viewer' }));
    const { token, session } = await sessions.begin(start);
    expect(token).toMatch(/^lst_[A-Za-z0-9]{43}$/);
    expect(session.agent).toHaveLength(200);
    expect(JSON.stringify(session)).not.toContain(token);
    expect(await sessions.principalOf(token)).toEqual({
      id: 'user:alice',
      kind: 'user',
      name: 'alice',
      owner: 'alice',
      grants: grants({
        read: ['*', 'runs:alice/*', 'conversations:alice/*', 'events:runs:alice'],
        metrics: true,
      }),
      expires: clock.now + SESSION_MAX_MS,
      session: session.digest.slice(0, 16),
    });
    for (const wrong of [
      '',
      'lst_',
      `${token}x`,
      token.toLowerCase(),
      session.digest,
      `lst_${'a'.repeat(43)}`,
    ])
      expect(await sessions.principalOf(wrong)).toBeUndefined();
  });

  it.each<[string, (store: FileAuthStore) => Promise<unknown>]>([
    ['disabled', (store) => store.changeUser('alice', { disabled: true })],
    ['deleted', (store) => store.deleteUser('alice')],
    ['given a role that does not exist', (store) => store.changeUser('alice', { role: 'nobody' })],
    ['signed out everywhere', (store) => store.endSessions('alice')],
  ])('is nobody when the person was %s', async (_, step) => {
    const { store, sessions } = await setUp();
    await store.addUser(user('alice'));
    const { token } = await sessions.begin(start);
    expect(await sessions.principalOf(token)).toBeDefined();
    await step(store);
    expect(await sessions.principalOf(token)).toBeUndefined();
  });

  it('lasts as long as it is used, and thirty days at most', async () => {
    const { store, sessions, clock } = await setUp();
    clock.now = Date.now();
    await store.addUser(user('alice'));
    const { token, session } = await sessions.begin(start);
    while (clock.now + SESSION_IDLE_MS < session.expires) {
      clock.now += SESSION_IDLE_MS;
      expect(await sessions.principalOf(token)).toBeDefined();
      const noted = async () => (await store.sessionsOf('alice'))[0]?.seen === clock.now;
      await eventually('the use is noted', noted);
    }
    clock.now = session.expires;
    expect(await sessions.principalOf(token)).toBeUndefined();
  });

  it('of a person whom a provider knows ends when the provider must be asked again, and so do further ones', async () => {
    const { sessions, clock } = await setUp();
    clock.now = Date.now();
    const external = { name: 'Alice A.', owner: 'j-abc', roles: ['viewer'], until: clock.now + 1_000 };
    const { token, session } = await sessions.begin({ ...start, user: 'j-abc', external });
    clock.now += 999;
    const another = await sessions.begin({ ...start, user: 'j-abc', external });
    expect([session.expires, another.session.expires]).toEqual([external.until, external.until]);
    expect(await sessions.principalOf(token)).toBeDefined();
    clock.now += 1;
    expect(await sessions.principalOf(token)).toBeUndefined();
  });

  it('of a person whom a provider knows has what the provider’s groups gave', async () => {
    const { store, sessions } = await setUp();
    const until = Date.now() + 3_600_000;
    const external = { name: 'Alice A.', owner: 'j-abc', roles: ['gone', 'team'], until };
    await store.setRole({ name: 'team', grants: grants({ read: ['logs*'] }) });
    const { token } = await sessions.begin({ ...start, user: 'j-abc', external });
    expect(await sessions.principalOf(token)).toMatchObject({
      id: 'user:j-abc',
      name: 'Alice A.',
      owner: 'j-abc',
      grants: { read: ['logs*', 'runs:j-abc/*', 'conversations:j-abc/*', 'events:runs:j-abc'] },
    });
  });
});
