import { expect, it } from 'vitest';
import { Turns } from '../../src/http/turns.ts';

it('four work at a time, the others wait, and one that fails leaves its place to the next', async () => {
  const turns = new Turns();
  let working = 0;
  let most = 0;
  const work = (fails: boolean) => async () => {
    most = Math.max(most, ++working);
    await new Promise(setImmediate);
    working--;
    if (fails) throw new Error('no');
  };
  const all = Array.from({ length: 20 }, (_, i) => turns.run(work(i % 3 === 0)));
  const ends = await Promise.allSettled(all);
  expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(7);
  expect(most).toBe(4);
});
