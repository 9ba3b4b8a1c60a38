import { expect, it } from 'vitest';
import { FairTurns } from '../../../src/auth/sign-in/fair-turns.ts';

/** Works that end when the test says so, and the order in which they began. */
function make() {
  const turns = new FairTurns();
  const began: string[] = [];
  const refused: string[] = [];
  const running: (() => void)[] = [];
  const send = (client: string, name = client) => {
    const work = () => {
      began.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      running.push(resolve);
      return promise;
    };
    turns.run(client, work).catch(({ code }) => void refused.push(`${name} ${code}`));
  };
  /** Ends the one that runs. */
  const end = async () => {
    running.shift()?.();
    await new Promise(setImmediate);
  };
  return { began, refused, send, end };
}

it('29: one at a time, by turns of clients, each with two that wait at most', async () => {
  const { began, refused, send, end } = make();
  for (const name of ['a1', 'a2', 'a3', 'a4']) send('a', name);
  send('b');
  await end();
  expect(refused).toEqual(['a4 too_many_attempts']);
  expect(began).toEqual(['a1', 'b']);
  send('c');
  await end();
  await end();
  expect(began).toEqual(['a1', 'b', 'c', 'a2']);
  await end();
  await end();
  expect(began.at(-1)).toBe('a3');
});

it('29: somebody who comes new finds a place, and a turn before those who had theirs, whatever a crowd sends', async () => {
  const { began, refused, send, end } = make();
  const crowd = Array.from({ length: 40 }, (_, n) => `crowd-${n}`);
  for (const client of crowd) for (const name of [1, 2, 3]) send(client, `${client} ${name}`);
  for (let n = 0; n < 40; n++) await end();
  for (const client of crowd) for (const name of [4, 5]) send(client, `${client} ${name}`);
  const before = refused.length;
  send('alice');
  expect(refused.slice(before).every((one) => one.startsWith('crowd'))).toBe(true);
  await end();
  expect(began.at(-1)).toBe('alice');
});

it('a work that fails does not hold up the next one', async () => {
  const turns = new FairTurns();
  const failed = turns.run('a', () => Promise.reject(new Error('broken')));
  const next = turns.run('a', async () => 'done');
  await expect(failed).rejects.toThrow('broken');
  expect(await next).toBe('done');
});
