import { expect, it } from 'vitest';
import { WriteLimit } from '../../src/auth/write-limit.ts';

it('lets each principal make ten at once, and then one every six seconds', () => {
  const clock = { now: 0 };
  const limit = new WriteLimit(() => clock.now);
  const made = (id: string) => {
    for (let n = 0; ; n++)
      try {
        limit.take({ id });
      } catch (error) {
        expect(error).toMatchObject({ code: 'too_many_attempts' });
        return n;
      }
  };
  expect(made('user:alice')).toBe(10);
  expect(made('user:bob')).toBe(10);
  clock.now += 5_999;
  expect(made('user:alice')).toBe(0);
  clock.now += 1;
  expect(made('user:alice')).toBe(1);
  clock.now += 3_600_000;
  expect(made('user:alice')).toBe(10);
});
