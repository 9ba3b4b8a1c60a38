import { describe, expect, it } from 'vitest';
import { settledWithin } from '../src/settled-within.ts';

const HOUR_MS = 3_600_000;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('settledWithin', () => {
  it('ends with the promise, and leaves no timer behind', async () => {
    const before = timers();
    await settledWithin(Promise.resolve(), HOUR_MS);
    expect(timers()).toBe(before);
  });

  it('does not reject where the promise does', async () => {
    await expect(settledWithin(Promise.reject(new Error('away')), HOUR_MS)).resolves.toBeUndefined();
  });

  it('gives up a promise that never settles', async () => {
    await expect(settledWithin(new Promise(() => undefined), 1)).resolves.toBeUndefined();
  });
});
