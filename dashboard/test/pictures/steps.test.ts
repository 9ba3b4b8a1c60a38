import { expect, it } from 'vitest';
import { stepOf } from '../../src/pictures/steps.ts';

it('keys go on by a row, by a page, and to both ends', () => {
  const by = (keys: string[]) => keys.map((key) => stepOf(key, 7));
  expect(by(['j', 'k', 'ArrowDown', 'ArrowUp'])).toEqual([1, -1, 1, -1]);
  expect(by(['PageDown', 'PageUp'])).toEqual([7, -7]);
  expect(by(['g', 'Home', 'G', 'End'])).toEqual([-Infinity, -Infinity, Infinity, Infinity]);
  expect(by(['x', 'toString', 'ArrowRight'])).toEqual([undefined, undefined, undefined]);
});
