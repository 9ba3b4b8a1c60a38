// What an entry says reaches a model as one line in which nothing is hidden, whatever was written.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { entryLine } from '../../src/mcp/entry-line.ts';
import { plainText } from '../../src/mcp/plain-text.ts';

const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069\u200b\ufeff\u{e0000}-\u{e01ef}]/u;

it.each([
  ['a second line', 'one\ntwo\r\n\tthree', 'one\\ntwo\\r\\n\\tthree'],
  ['colors of a terminal', '\u001b[1;31mred\u001b[0m', 'red'],
  ['what a terminal would obey', '\u001b]0;title\u0007\u001b[2J', '\\u{1b}]0;title\\u{7}\\u{1b}[2J'],
  ['letters that turn the order', 'user\u202etxt.exe', 'user\\u{202e}txt.exe'],
  ['tags, in which a sentence can be hidden', 'hi\u{e0068}\u{e0069}', 'hi\\u{e0068}\\u{e0069}'],
  ['selectors, in which bytes can be hidden', 'a\u{e0101}\ufe05', 'a\\u{e0101}\\u{fe05}'],
  ['half a character', 'a\ud83d', 'a\\u{d83d}'],
  ['the separators that JavaScript takes for ends of lines', 'a\u2028b\u0085c', 'a\\u{2028}b\\u{85}c'],
])('%s is shown', (_what, text, shown) => {
  expect(plainText(text, 100)).toBe(shown);
});

it('joined emoji and scripts with joiners stay as they are', () => {
  for (const text of ['👩‍💻', '❤️', 'می‌خواهم', 'ക്‍']) expect(plainText(text, 100)).toBe(text);
});

it('a long text ends with its length', () => {
  expect(plainText('x'.repeat(500), 10)).toBe(`${'x'.repeat(10)}… [cut: 500 characters]`);
  expect(plainText('\n'.repeat(8), 10)).toBe('\\n\\n\\n\\n\\n… [cut: 8 characters]');
});

it('any text is one line, without anything hidden, and no longer than its bound and the mark', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.integer({ min: 1, max: 300 }),
      (text, most) => {
        const shown = plainText(text, most);
        expect(HIDDEN.test(shown)).toBe(false);
        expect(shown.length).toBeLessThanOrEqual(most + '… [cut: 400 characters]'.length);
      },
    ),
  );
});

it('an entry is one line, also with a time and labels that no program would write', () => {
  const entry = {
    channel: 'logs',
    level: 'info',
    source: 'a\nb',
    msg: 'x',
    attrs: { '\n': '\u2028' },
  } as const;
  expect(entryLine({ ...entry, time: 1e300, event: 'e\u0000', run: 'r\n', id: '1-1000' })).toBe(
    'time 1e+300 info logs a\\nb [e\\u{0}] x {"\\n":"\\u{2028}"} run=r\\n #1-1000',
  );
});
