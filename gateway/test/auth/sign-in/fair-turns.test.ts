import { expect, it } from 'vitest';
import { FairTurns } from '../../../src/auth/sign-in/fair-turns.ts';

/** Refusals are told by then. */
const settled = () => new Promise(setImmediate);

/** Works that end when the test says so, and the order in which they began. */
function make() {
  const turns = new FairTurns(1);
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
    await settled();
  };
  return { began, refused, send, end };
}

it('29: one at a time, by turns of clients, each with nine that wait at most', async () => {
  const { began, refused, send, end } = make();
  for (let n = 1; n <= 11; n++) send('a', `a${n}`);
  send('b');
  await end();
  expect(refused).toEqual(['a11 too_many_attempts']);
  expect(began).toEqual(['a1', 'b']);
  send('c');
  await end();
  await end();
  expect(began).toEqual(['a1', 'b', 'c', 'a2']);
  await end();
  await end();
  expect(began.at(-1)).toBe('a4');
});

const crowds: [string, (n: number) => string][] = [
  ['addresses of one network', (n) => `198.51.100.${n}`],
  ['networks of one provider', (n) => `198.51.${n}.1`],
  ['networks of IPv6 of one customer', (n) => `2001:db8:1:${n.toString(16)}::1`],
  ['customers of IPv6 of one provider', (n) => `2001:db8:${n.toString(16)}::1`],
];

it.each(crowds)(
  '29: a crowd from many %s, which never had a turn, refuses and delays nobody else',
  async (_, at) => {
    const { began, refused, send, end } = make();
    for (let n = 0; n < 200; n++) send(at(n));
    await settled();
    expect(refused).toHaveLength(79); // one runs, and 120 wait
    send('203.0.113.7', 'alice');
    await settled();
    expect(refused.slice(79)).toEqual([expect.not.stringContaining('alice')]);
    await end();
    expect(began.at(-1)).toBe('alice');
  },
);

it('29: where many networks wait, somebody who comes new drives out one that had its turn', async () => {
  const { began, refused, send, end } = make();
  const networks = Array.from({ length: 121 }, (_, n) => `10.${n}.0.1`);
  for (const address of networks) send(address);
  for (const address of networks.slice(0, 40)) {
    await end();
    send(address);
  }
  expect(refused).toEqual([]);
  send('203.0.113.7', 'alice');
  await settled();
  expect(refused).toEqual(['10.39.0.1 too_many_attempts']);
  for (let n = 0; n < 81; n++) await end(); // those who came before her, and had none
  expect(began.at(-1)).toBe('alice');
});

it('several at a time where several are allowed', async () => {
  const turns = new FairTurns(2);
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
  let running = 0;
  const all = gates.map(({ promise }, n) =>
    turns.run(`10.0.0.${n}`, () => {
      running++;
      return promise;
    }),
  );
  expect(running).toBe(2);
  gates[1]?.resolve();
  await all[1];
  await settled();
  expect(running).toBe(3);
  for (const { resolve } of gates) resolve();
  await Promise.all(all);
});

it('a work that fails does not hold up the next one', async () => {
  const turns = new FairTurns(1);
  const failed = turns.run('a', () => Promise.reject(new Error('broken')));
  const next = turns.run('a', async () => 'done');
  await expect(failed).rejects.toThrow('broken');
  expect(await next).toBe('done');
});
