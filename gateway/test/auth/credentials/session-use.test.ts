import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, expect, it, vi } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { SessionUse } from '../../../src/auth/credentials/session-use.ts';
import { sessionId } from '../../../src/auth/store/auth-store.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { person } from '../people.ts';
import { session, user } from '../store/conformance.ts';

const HOUR = 3_600_000;

let use: SessionUse;
afterEach(() => {
  use.close();
  vi.useRealTimers();
});

it('a stream that stays open counts as a use of its session once an hour', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'Date'] });
  const store = FileAuthStore.inMemory();
  await store.addUser(user('alice'));
  const [open1, unused] = [session('s1', 'alice'), session('s2', 'alice')];
  for (const one of [open1, unused]) await store.addSession(one);
  const alice = person('alice', {}, { id: 'user:alice', kind: 'user', session: sessionId(open1) });
  use = new SessionUse(store, createLogger('gateway', 'silent', true));
  use.open([{ principals: () => [alice, alice], endStreams: () => {} }]);
  for (let hour = 1; hour <= 20; hour++) {
    vi.advanceTimersByTime(HOUR);
    await eventually('the use is noted', async () => {
      const [found] = (await store.sessionsOf('alice')).filter(({ digest }) => digest === open1.digest);
      return found?.seen === open1.seen + hour * HOUR;
    });
  }
  expect((await store.sessionsOf('alice')).map(({ digest }) => digest)).toEqual([open1.digest]);
});
