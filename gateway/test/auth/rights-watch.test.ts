// What an open stream means for its session and its key, on one process.

import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, expect, it, vi } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import type { Principal } from '../../src/auth/principal.ts';
import { type RightsLoss, RightsWatch } from '../../src/auth/rights-watch.ts';
import { sessionId } from '../../src/auth/store/auth-store.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { person } from './people.ts';
import { apiKey, session, user } from './store/conformance.ts';

const HOUR = 3_600_000;

let watch: RightsWatch;
afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

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

it('a stream that stays open counts as a use of its session once an hour', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'Date'] });
  const store = FileAuthStore.inMemory();
  await store.addUser(user('alice'));
  const [open1, unused] = [session('s1', 'alice'), session('s2', 'alice')];
  for (const one of [open1, unused]) await store.addSession(one);
  const alice = person('alice', {}, { id: 'user:alice', kind: 'user', session: sessionId(open1) });
  await open(store, alice, alice);
  for (let hour = 1; hour <= 20; hour++) {
    vi.advanceTimersByTime(HOUR);
    await eventually('the use is noted', async () => {
      const [found] = (await store.sessionsOf('alice')).filter(({ digest }) => digest === open1.digest);
      return found?.seen === open1.seen + hour * HOUR;
    });
  }
  expect((await store.sessionsOf('alice')).map(({ digest }) => digest)).toEqual([open1.digest]);
});

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
