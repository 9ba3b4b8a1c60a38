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
  const all = Array.from({ length: 20 }, (_, i) => turns.run(`client ${i % 2}`, work(i % 3 === 0)));
  const ends = await Promise.allSettled(all);
  expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(7);
  expect(most).toBe(4);
});

it('a client with 150 works delays the others by one turn each, and nobody is forgotten', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const add = (who: string) =>
    turns.run(who, async () => {
      await new Promise(setImmediate);
      order.push(who);
    });
  const all = Array.from({ length: 150 }, () => add('many'));
  for (const who of ['one', 'other', 'one']) all.push(add(who));
  await Promise.all(all);
  expect(order).toHaveLength(153);
  const places = ['one', 'other'].map((who) => order.lastIndexOf(who));
  expect(Math.max(...places)).toBeLessThan(12);
});

it('a place is free again when all have ended', async () => {
  const turns = new Turns();
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 9 }, (_, i) => turns.run(`${i % 4}`, async () => {})));
  let working = 0;
  for (let i = 0; i < 9; i++) turns.run(`${i}`, () => new Promise(() => working++)).catch(() => {});
  await new Promise(setImmediate);
  expect(working).toBe(4);
});
