import { expect, it } from 'vitest';
import { joined } from '../../src/runs/joined.ts';

/** A work that ends when the test says so. */
function works() {
  const begun: PromiseWithResolvers<void>[] = [];
  const ask = joined(() => {
    const one = Promise.withResolvers<void>();
    begun.push(one);
    return one.promise;
  });
  return { begun, ask };
}

it('however many ask while a work is done, it is done once more, and all of them wait for that', async () => {
  const { begun, ask } = works();
  const first = ask();
  const others = Array.from({ length: 1_000 }, ask);
  expect(begun).toHaveLength(1);
  begun[0]?.resolve();
  await first;
  await Promise.resolve();
  expect(begun).toHaveLength(2);
  begun[1]?.resolve();
  await Promise.all(others);
  expect(begun).toHaveLength(2);
  const third = ask();
  expect(begun).toHaveLength(3);
  begun[2]?.resolve();
  await third;
});

it('a work that fails is told to who asked for it, and the next one is done all the same', async () => {
  const { begun, ask } = works();
  const [first, second] = [ask(), ask()];
  begun[0]?.reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  begun[1]?.resolve();
  await expect(second).resolves.toBeUndefined();
});
