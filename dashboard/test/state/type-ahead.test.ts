import { beforeEach, expect, it } from 'vitest';
import { takeTyped, typeAhead } from '../../src/state/type-ahead.ts';

beforeEach(() => {
  typeAhead.value = '';
});

it('keeps letters in their order, and takes back the last one', () => {
  for (const key of ['S', 'e', 'x', 'Backspace', 'n', 'd', ' ', 'Enter']) expect(takeTyped(key)).toBe(true);
  expect(typeAhead.value).toBe('Send ');
});

it('leaves keys that navigate, and every key while nothing is awaited', () => {
  expect(takeTyped('Escape')).toBe(false);
  typeAhead.value = undefined;
  expect(takeTyped('t')).toBe(false);
  expect(typeAhead.value).toBeUndefined();
});
