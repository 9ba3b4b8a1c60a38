import { once } from 'node:events';
import { threadId, Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { isPassword, Passwords } from '../../../src/auth/sign-in/passwords.ts';

const WORKER = new URL('../../../src/auth/sign-in/password-worker.ts', import.meta.url);
const threads: Worker[] = [];
const open: Passwords[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((passwords) => passwords.close()));
  threads.splice(0);
});

function make(): Passwords {
  const passwords = new Passwords(() => {
    const worker = new Worker(WORKER);
    threads.push(worker);
    return worker;
  });
  open.push(passwords);
  return passwords;
}

it('a hash is a PHC string of scrypt, with its own salt', async () => {
  const passwords = make();
  const [one, other] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')];
  expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(other).not.toBe(one);
  expect(await passwords.verify('correct horse', one)).toBe(true);
  expect(await passwords.verify('correct horsf', one)).toBe(false);
});

it('a password is the same whichever keyboard composed its letters', async () => {
  const passwords = make();
  const hash = await passwords.hash('M\u00fcnchner Freiheit');
  expect(await passwords.verify('Mu\u0308nchner Freiheit', hash)).toBe(true);
});

it('somebody who does not exist is hashed for, too', async () => {
  const passwords = make();
  const [heard] = await Promise.all([
    passwords.verify('correct horse', undefined),
    (async () => once(await firstThread(), 'message'))(),
  ]);
  expect(heard).toBe(false);
});

it.each([
  ['', 'nothing'],
  ['$2b$12$abcdefghijklmnopqrstuv', 'another algorithm'],
  [
    '$scrypt$ln=31,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'a costly one',
  ],
  ['$scrypt$ln=15,r=99,p=99$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'r and p'],
])('no password fits a hash that is none: %s (%s)', async (phc) => {
  expect(await make().verify('correct horse', phc)).toBe(false);
});

it('29: one is hashed at a time, outside the thread of streams and outside those that compress', async () => {
  const passwords = make();
  const results = Array.from({ length: 8 }, (_, n) => passwords.verify('correct horse', undefined, `${n}`));
  const worker = await firstThread();
  let hashed = 0;
  worker.on('message', () => hashed++);
  expect(worker.threadId).not.toBe(threadId);
  expect(await Promise.all(results)).toEqual(Array(8).fill(false));
  expect(hashed).toBe(8);
  expect(threads).toHaveLength(1);
});

it('29: clients take turns, whoever sends most', async () => {
  const passwords = make();
  const done: string[] = [];
  const verify = async (address: string) => {
    await passwords.verify('correct horse', undefined, address);
    done.push(address);
  };
  await Promise.all(['10.0.0.1', '10.0.0.1', '10.0.0.1', '192.0.2.1'].map(verify));
  expect(done).toEqual(['10.0.0.1', '192.0.2.1', '10.0.0.1', '10.0.0.1']);
});

it('a thread that dies fails one hash, and is replaced', async () => {
  const passwords = make();
  const results = [passwords.hash('correct horse'), passwords.hash('battery staple')];
  await (await firstThread()).terminate();
  const [first, second] = await Promise.allSettled(results);
  expect(first).toMatchObject({ reason: { code: 'broker_unavailable' } });
  expect(second).toMatchObject({ status: 'fulfilled' });
  await threads[1]?.terminate(); // it dies while nobody waits
  expect(await passwords.verify('battery staple', await passwords.hash('battery staple'))).toBe(true);
  expect(threads).toHaveLength(3);
});

it('a thread that cannot be started fails one hash, and the next one starts it', async () => {
  const starts = [
    () => {
      throw new Error('ERR_WORKER_INIT_FAILED');
    },
    () => new Worker(WORKER),
  ];
  const passwords = new Passwords(() => (starts.shift() as () => Worker)());
  open.push(passwords);
  const results = await Promise.allSettled([
    passwords.hash('correct horse'),
    passwords.hash('battery staple'),
  ]);
  expect(results).toMatchObject([
    { status: 'rejected', reason: { code: 'broker_unavailable' } },
    { status: 'fulfilled' },
  ]);
});

it('a password has 8 to 256 characters', () => {
  expect(['1234567', '12345678', 'x'.repeat(256), 'x'.repeat(257)].map(isPassword)).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

async function firstThread(): Promise<Worker> {
  while (threads[0] === undefined) await Promise.resolve();
  return threads[0];
}
