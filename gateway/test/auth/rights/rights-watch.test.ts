// Which streams end by a change of rights, and which go on, on one process.

import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, expect, it, vi } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { ApiKeys, makeApiKey } from '../../../src/auth/credentials/api-keys.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import type { Principal } from '../../../src/auth/principal.ts';
import { renewable } from '../../../src/auth/renewal.ts';
import { type RightsLoss, RightsWatch } from '../../../src/auth/rights/rights-watch.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { person } from '../people.ts';
import { apiKey, user } from '../store/conformance.ts';

const HOUR = 3_600_000;

let watch: RightsWatch;
afterEach(() => watch.close());

/** The streams of these, and the codes by which they were ended. */
async function open(store: FileAuthStore, ...principals: Principal[]) {
  const ended: RightsLoss[] = [];
  let changes = 0;
  watch = new RightsWatch({
    store,
    forget: () => {
      changes++;
    },
    logger: createLogger('gateway', 'silent', true),
  });
  const streams = {
    principals: () => principals,
    endStreams: (lossOf: (principal: Principal) => RightsLoss | undefined) =>
      void ended.push(...principals.flatMap((principal) => lossOf(principal) ?? [])),
  };
  await watch.open([streams]);
  ended.length = 0; // at first nothing is known of anybody
  return { ended, changes: () => changes };
}

it('a key that was added a moment ago keeps the streams that it has opened meanwhile', async () => {
  const store = FileAuthStore.inMemory();
  const key = person('8f3k2m1p', { read: ['logs*'] });
  const { ended, changes } = await open(store, key);
  const before = changes();
  await store.addKey(apiKey('8f3k2m1p'));
  await eventually('the change is known', () => changes() > before);
  await store.revokeKey('8f3k2m1p');
  await eventually('the streams end', () => ended.length > 0);
  expect(ended).toEqual(['revoked']);
});

/** Alice, who has the role `team`, with a session and with a key, and bob, who has not. */
async function team() {
  const store = FileAuthStore.inMemory();
  const grants = { read: ['logs*'], publish: [], run: false, metrics: false, admin: false };
  await store.setRole({ name: 'team', grants });
  await store.addUser({ ...user('alice'), role: 'team' });
  await store.addUser(user('bob'));
  const sessions = new Sessions(store);
  const signIn = async (name: string) => {
    const { token } = await sessions.begin({ user: name, address: '127.0.0.1', agent: 'test' });
    return (await sessions.principalOf(token)) as Principal;
  };
  const { id, key, digest } = makeApiKey();
  const expires = Date.now() + HOUR;
  await store.addKey(apiKey(id, { digest, user: 'alice', grants, expires }));
  const ofKey = (await new ApiKeys(store).principalOf(key)) as Principal;
  return { store, grants, alice: await signIn('alice'), bob: await signIn('bob'), ofKey };
}

it('a change that names nobody ends no stream whose rights are the same after it', async () => {
  const { store, grants, alice, bob, ofKey } = await team();
  const { ended, changes } = await open(store, alice, bob, ofKey);
  const before = changes();
  await store.setRole({ name: 'other', grants });
  await eventually('the change is known', () => changes() > before);
  await store.setRole({ name: 'team', grants: { ...grants, read: ['logs:a'] } });
  await eventually('streams end', () => ended.length > 0);
  expect(ended).toEqual(['access_changed', 'access_changed']); // those of alice
});

it('more changes than are remembered end the streams of those alone whose rights have changed', async () => {
  const { store, alice, bob, ofKey } = await team();
  const { ended } = await open(store, alice, bob, ofKey);
  vi.spyOn(store, 'changesSince').mockImplementation(async () => ({
    revision: await store.revision(),
    principals: ['*'],
  }));
  await store.endSession('bob', bob.session as string);
  await eventually('streams end', () => ended.length > 0);
  expect(ended).toEqual(['session_ended']);
});

it('when keys of the issuer are gone, the streams of tokens end that were signed with them, and of nobody else', async () => {
  const { store, alice } = await team();
  const token = (name: string): Principal => ({ ...alice, id: `jwt:${name}`, kind: 'jwt', owner: name });
  const { session: _, ...gone } = token('gone');
  renewable(gone, async () => undefined);
  const stays = token('stays');
  renewable(stays, async () => ({ ...stays }));
  const { ended, changes } = await open(store, alice, stays, gone);
  const before = changes();
  watch.doubtTokens();
  await eventually('streams end', () => ended.length > 0);
  expect(changes()).toBe(before + 1);
  expect(ended).toEqual(['revoked']);
});
