// Turns are taken one at a time and in order, whatever becomes of the work.
import { expect, it } from 'vitest';
import { SerialQueue } from '../../src/broker/serial-queue.ts';

it('does one piece of work at a time, in the order of asking, also after one that failed', async () => {
  const queue = new SerialQueue();
  const log: string[] = [];
  const gates = ['a', 'b', 'c'].map((name) => ({ name, ...Promise.withResolvers<void>() }));
  const works = gates.map(({ name, promise }) =>
    queue.runNext(async () => {
      log.push(`${name} begins`);
      await promise;
      log.push(`${name} ends`);
      if (name === 'a') throw new Error('a failed');
      return name;
    }),
  );
  for (const { resolve } of gates.toReversed()) resolve();
  const outcomes = await Promise.allSettled(works);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

it('skips a task that was abandoned before it began, not one that is abandoned later', async () => {
  const queue = new SerialQueue();
  const { promise, resolve } = Promise.withResolvers<void>();
  let gone = false;
  const staying = queue.runNext(() => promise.then(() => 'stayed'));
  const leaving = queue.runNext(
    async () => 'never',
    () => gone,
  );
  const next = queue.runNext(
    async () => 'next',
    () => false,
  );
  gone = true;
  resolve();
  expect(await Promise.all([staying, leaving, next])).toEqual(['stayed', undefined, 'next']);
});
