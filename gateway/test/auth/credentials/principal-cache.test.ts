import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { expect, it } from 'vitest';
import type { CredentialCheck } from '../../../src/auth/credentials/credential-check.ts';
import { PrincipalCache } from '../../../src/auth/credentials/principal-cache.ts';
import { NO_GRANTS, type Principal } from '../../../src/auth/principal.ts';

/** The memory is bounded after a hundred; each more is as the one before. */
const MADE_UP = 10_000;

/** A store whose answers the test decides: credentials are the ids of principals. */
class Directory implements CredentialCheck {
  readonly people = new Map<string, Principal>();
  lookUps = 0;
  away = false;
  /** Called in the middle of each look-up. */
  during: () => void = () => {};

  add(id: string, more: Partial<Principal> = {}): void {
    this.people.set(id, {
      id,
      kind: 'key',
      name: id,
      owner: id,
      grants: NO_GRANTS,
      expires: Number.POSITIVE_INFINITY,
      ...more,
    });
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    this.lookUps++;
    const found = this.people.get(credential);
    await Promise.resolve();
    this.during();
    if (this.away) throw new BrokerUnavailable('away');
    return found && structuredClone(found);
  }
}

function make(options: { max?: number; maxLookUps?: number } = {}) {
  const directory = new Directory();
  directory.add('alice');
  const clock = { now: 0 };
  const cache = new PrincipalCache(directory, { ...options, now: () => clock.now });
  return { directory, clock, cache };
}

it('ten thousand requests with one credential make one look-up and share one principal', async () => {
  const { directory, cache } = make();
  const found = await Promise.all(Array.from({ length: 10_000 }, () => cache.principalOf('alice')));
  expect(new Set(found).size).toBe(1);
  expect(found[0]).toMatchObject({ id: 'alice' });
  await cache.principalOf('alice');
  expect(directory.lookUps).toBe(1);
});

it('a principal whose rights are the same after a look-up stays the same object', async () => {
  const { directory, clock, cache } = make();
  const first = await cache.principalOf('alice');
  clock.now += 5_000;
  expect(await cache.principalOf('alice')).toBe(first);
  expect(directory.lookUps).toBe(2);
  directory.add('alice', { name: 'Alice' });
  clock.now += 5_000;
  expect(await cache.principalOf('alice')).not.toBe(first);
});

it('a change of rights is heeded at once for those whom it names, and for all if it names nobody', async () => {
  const { directory, cache } = make();
  directory.add('bob');
  for (const name of ['alice', 'bob']) await cache.principalOf(name);
  directory.people.clear();
  cache.changed(['alice']);
  expect(await cache.principalOf('alice')).toBeUndefined();
  expect(await cache.principalOf('bob')).toBeDefined();
  cache.changed(['*']);
  expect(await cache.principalOf('bob')).toBeUndefined();
});

it("44: nobody is looked up again for others' changes, however many there are, and none makes a look-up fail", async () => {
  const { directory, cache } = make();
  directory.during = () => {
    for (let n = 0; n < 100; n++) cache.changed([`session:${n}`, 'user:mallory']);
  };
  expect(await cache.principalOf('alice')).toBeDefined();
  cache.changed(['user:mallory']);
  expect(await cache.principalOf('alice')).toBeDefined();
  expect(directory.lookUps).toBe(1);
  directory.during = () => cache.changed(['session:1']);
  expect(await cache.principalOf('made-up')).toBeUndefined();
  expect(directory.lookUps).toBe(2);
});

it('24: a look-up is not believed where more changed meanwhile than is remembered', async () => {
  const { directory, cache } = make();
  directory.during = () => {
    directory.during = () => {};
    directory.people.delete('alice');
    for (let n = 0; n < 2_000; n++) cache.changed(n === 0 ? ['alice'] : [`session:${n}`]);
  };
  expect(await cache.principalOf('alice')).toBeUndefined();
});

it('24: a look-up that began before a change of rights is not believed', async () => {
  const { directory, cache } = make();
  directory.during = () => {
    directory.during = () => {};
    directory.people.delete('alice');
    cache.changed(['alice']);
  };
  expect(await cache.principalOf('alice')).toBeUndefined();
});

it('27: who is known goes on while the store is away, and who is not known is not called invalid', async () => {
  const { directory, clock, cache } = make();
  const alice = await cache.principalOf('alice');
  directory.away = true;
  for (let hour = 0; hour < 24; hour++) {
    clock.now += 3_600_000;
    expect(await cache.principalOf('alice')).toBe(alice);
  }
  await expect(cache.principalOf('bob')).rejects.toBeInstanceOf(BrokerUnavailable);
  cache.changed(['*']); // a store that came back and went away again has not said who
  expect(await cache.principalOf('alice')).toBe(alice);
  directory.away = false;
  directory.people.clear();
  clock.now += 1_000;
  expect(await cache.principalOf('alice')).toBeUndefined();
});

it('27: who was revoked is not known any more, even if the store goes away right then', async () => {
  const { directory, cache } = make();
  directory.add('bob', { id: 'user:bob', session: 'abc' });
  for (const name of ['alice', 'bob']) await cache.principalOf(name);
  directory.away = true;
  cache.changed(['alice', 'session:abc']);
  for (const name of ['alice', 'bob'])
    await expect(cache.principalOf(name)).rejects.toBeInstanceOf(BrokerUnavailable);
});

it('a credential that ends is over at once, also while the store is away', async () => {
  const { directory, clock, cache } = make();
  directory.add('carol', { expires: 1_000 });
  expect(await cache.principalOf('carol')).toBeDefined();
  directory.away = true;
  clock.now = 1_000;
  expect(await cache.principalOf('carol')).toBeUndefined();
});

it('44: made-up credentials without end take bounded memory, and drive out nobody who is real', async () => {
  const { directory, cache } = make({ max: 100 });
  await cache.principalOf('alice');
  for (let n = 0; n < MADE_UP; n++) expect(await cache.principalOf(`made-up-${n}`)).toBeUndefined();
  expect(cache.size).toBe(101);
  const before = directory.lookUps;
  await cache.principalOf('alice');
  await cache.principalOf(`made-up-${MADE_UP - 100}`);
  expect(directory.lookUps).toBe(before);
});

it('44: look-ups at a time are bounded, and the one too many is not called invalid', async () => {
  const { directory, cache } = make({ maxLookUps: 3 });
  const answers = Array.from({ length: 5 }, (_, n) => cache.principalOf(`made-up-${n}`));
  const results = await Promise.allSettled(answers);
  expect(directory.lookUps).toBe(3);
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason))).toEqual([
    ...Array(3).fill(undefined),
    ...Array(2).fill(expect.any(BrokerUnavailable)),
  ]);
});
