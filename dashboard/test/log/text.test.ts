import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCutAt, linesOf, spansOf } from '../../src/log/text.ts';
import { entry } from '../rows.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test searches for controls
const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]/u;

const text = (message: string, lines = false) =>
  spansOf(message, 100_000, lines)
    .map((span) => span.text)
    .join('');

describe('hostile text', () => {
  it('shows any text without a control, a bidi override or half a character', () => {
    const hostile = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.constantFrom(
          '\x1b[31m',
          '\x1b[',
          '\x1b]0;t\x07',
          '\x1b]8;;u',
          '\u202e',
          '\ud800',
          '\0',
          '\x9b31m',
          '\r\n',
          '\x1b[38;5;',
        ),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(hostile, fc.boolean(), (parts, lines) => {
        const seen = text(parts.join(''), lines);
        expect(seen).not.toMatch(RAW);
        if (!lines) expect(seen).not.toContain('\n');
      }),
    );
  });

  it('renders ANSI colours as classes', () => {
    expect(spansOf('\x1b[1;31mERR\x1b[0m ok \x1b[38;5;208mo\x1b[39m', 100, false)).toEqual([
      { text: 'ERR', style: 'sgr1 fg1' },
      { text: ' ok ', style: '' },
      { text: 'o', style: expect.stringMatching(/^fg\d+$/) },
    ]);
  });

  it('removes cursor movements, titles and links of terminals', () => {
    expect(text('a\x1b[2K\x1b[1Gb\x1b]0;evil\x07c\x1b]8;;http://x\x1b\\d')).toBe('abcd');
  });

  it('shows the text after a title, a link or a device string that never ends', () => {
    expect(text('a\x1b]0;b')).toBe('a0;b');
    expect(text('a\x1bPb\nc', true)).toBe('ab\nc');
  });

  it('cuts by shown characters, with an ellipsis, and reads a bounded number of characters', () => {
    const cut = (message: string, limit: number) =>
      spansOf(message, limit, false)
        .map((span) => span.text)
        .join('');
    expect(cut('\x1b[31mred\x1b[0m and more', 7)).toBe('red and…');
    expect(cut('\x1b[31mred\x1b[0m', 3)).toBe('red');
    expect(cut('plain text', 5)).toBe('plain…');
    expect(cut('\x1b[31m'.repeat(1_000), 5)).toMatch(/^.{0,4}…$/);
  });

  it('shows controls as pictures and overrides as marks', () => {
    expect(text('a\0b\x07c\u202ed\ud800e\tf')).toBe('a␀b␇c⍰d\ufffde    f');
  });
});

const layout = (columns: number) => ({ columns, headLines: 0, why: () => '' });

describe('heights by arithmetic', () => {
  it.each([
    ['x'.repeat(10), 10, 1],
    ['x'.repeat(11), 10, 2],
    ['', 10, 1],
    ['a\nb\nc', 10, 3],
    ['日本語日本', 10, 1],
    ['日本語日本語', 10, 2],
    ['\x1b[31mred\x1b[0m', 3, 1],
    ['x'.repeat(1_000_000), 10, 20],
  ])('%j in %i columns', (msg, columns, lines) => {
    expect(linesOf(entry({ msg }), layout(columns))).toBe(lines);
  });

  it.each([
    ['x'.repeat(200), false],
    ['x'.repeat(201), true],
    ['a\n'.repeat(19), false],
    ['a\n'.repeat(20), true],
    [`${'\x1b[31m'.repeat(100)}red`, false],
  ])('knows of %j whether 20 lines of 10 columns hold it', (msg, isCut) => {
    expect(isCutAt(entry({ msg }), layout(10))).toBe(isCut);
  });

  it('counts the line above the message, and what says why the filter lets it pass', () => {
    const row = entry({ msg: 'x'.repeat(10) });
    expect(linesOf(row, { ...layout(10), headLines: 1 })).toBe(2);
    expect(linesOf(row, { ...layout(0), headLines: 1 })).toBe(2);
    expect(linesOf(row, { ...layout(10), why: () => 'a: 日本' })).toBe(2);
    expect(linesOf(row, { ...layout(10), why: () => 'a: 日本語' })).toBe(3);
  });
});
