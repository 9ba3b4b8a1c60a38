// A request that failed is the same one when it comes again, for two minutes.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { expect, it } from 'vitest';
import { type Attempt, Attempts } from '../../src/shippers/attempts.ts';

const body = Buffer.from('a body');

it('a request that comes again goes on with its attempt; after two minutes it is a new one, and nothing is remembered', async () => {
  let now = 1_000;
  const attempts = new Attempts(() => now);
  const seen: Attempt[] = [];
  const fails = async (attempt: Attempt) => {
    seen.push(attempt);
    throw new BrokerUnavailable('away');
  };
  const again = async (bytes = body) => void (await attempts.run('w', bytes, fails).catch(() => undefined));
  await again();
  now += 119_999;
  await again();
  expect(seen[1]).toBe(seen[0]);
  now += 1;
  await attempts.run('w', Buffer.from('another body'), async () => undefined);
  expect(attempts.size).toBe(0);
  await again();
  expect(seen[2]).toMatchObject({ now });
});

it('a request that was stored is forgotten', async () => {
  const attempts = new Attempts();
  const fail = () => Promise.reject(new BrokerUnavailable('away'));
  await attempts.run('w', body, fail).catch(() => undefined);
  expect(attempts.size).toBe(1);
  await attempts.run('w', body, async () => undefined);
  expect(attempts.size).toBe(0);
});
