import { expect, it } from 'vitest';
import { entryText } from '../../src/timeline/words.ts';
import { entry } from '../rows.ts';

it('nothing in the name of an event can turn round, or hide, what stands after it', () => {
  const row = entry({ source: 'gpu-1', event: `\u202Egnp.evil\n${'x'.repeat(200)}`, msg: 'the message' });
  const text = entryText(row, 1_500);
  expect(text).not.toMatch(/[\u202E\n]/);
  expect(text).toMatch(/^\+1\.50?s .* the message$/);
  expect(text.length).toBeLessThan(120);
});
