// Hostile answers: in pieces of bounded length, each of which is read once, and nothing of them is lost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowingMarkdown } from '../../../src/chat/markdown/growing.ts';
import { FENCE } from '../../../src/chat/markdown/lines.ts';
import { Pace, READ_IN_A_FRAME } from '../../../src/chat/markdown/pace.ts';
import { MAX_PIECE, type Piece, pieceAt } from '../../../src/chat/markdown/pieces.ts';
import { all, answer, textIn } from './drawn.ts';

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let [at, head] = [0, ''];
  while (at < text.length) {
    const { nextHead, ...piece } = pieceAt(text, at, head);
    pieces.push(piece);
    at += piece.raw.length;
    head = nextHead;
  }
  return pieces;
}

const isCode = (raw: string) => FENCE.test(raw.split('\n', 1)[0] ?? '');

/** What marks a block or a span in Markdown, and words to look for. */
const MARKS = [
  ...[
    '\n',
    '\n\n',
    ' ',
    '    ',
    '\t',
    '- ',
    '* ',
    '1. ',
    '10) ',
    '> ',
    '>',
    '>>> ',
    '# ',
    '=\n',
    '===\n',
    '-\n',
    '---\n',
  ],
  ...[
    '```',
    '````',
    '~~~',
    '```js\n',
    '``',
    '`',
    '|',
    '|-|-|\n',
    '| a | b |\n',
    ':-',
    '[',
    '](',
    ')',
    '![',
    ']: ',
    '<',
    '>',
    '<!--',
  ],
  ...[
    '*',
    '**',
    '_',
    '__',
    '~~',
    '\\',
    '&#',
    '&amp;',
    'a.',
    '@',
    'www.',
    'http://',
    '- [ ] ',
    '<div>\n',
    '"',
    '\u202e',
    '\0',
  ],
];
const fragment = fc.oneof(
  fc.constantFrom(...MARKS),
  fc.integer({ min: 0, max: 99 }).map((n) => `w${n}w`),
);
/** A few fragments many times over, as somebody would who wants to hold the page. */
const hostile = fc
  .array(fc.tuple(fc.array(fragment, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 3_000 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) =>
    parts
      .map(([some, times]) => some.join('').repeat(times))
      .join('\n')
      .slice(0, 65_536),
  );

describe('a hostile answer', () => {
  it('is cut into pieces that are all of it, none of them long but code', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const pieces = piecesOf(text);
        expect(pieces.map(({ raw }) => raw).join('')).toBe(text);
        const longest = Math.max(...pieces.map(({ raw }) => (isCode(raw) ? 0 : raw.length)));
        expect(longest).toBeLessThanOrEqual(MAX_PIECE);
        expect(Math.max(...pieces.map(({ head }) => head.length))).toBeLessThanOrEqual(MAX_PIECE / 2);
      }),
      { numRuns: 300 },
    );
  });

  it('is shown with all its words, each in its place', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        // Where a link leads, and what kind of code it is, are no text.
        const words = text.replace(/\]\([^)]*|[`~]{3,}[^\n]*/g, '').match(/w\d+w/g) ?? [];
        const shown = textIn(answer(text)).match(/w\d+w/g) ?? [];
        let at = 0;
        for (const word of shown) if (word === words[at]) at++;
        expect(words.slice(at, at + 5)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('is read a bounded piece in a frame, and shown as it is until then', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const frames: (() => void)[] = [];
        let read = 0;
        const pace = new Pace(
          (then) => frames.push(then),
          () => {
            read = 0;
          },
        );
        const growing = new GrowingMarkdown();
        const mayRead = (length: number) => {
          const may = pace.mayRead(length);
          const isFirst = read === 0;
          if (may) read += length;
          // One piece of code may be longer: it is not read as Markdown.
          if (may && !isFirst) expect(read).toBeLessThanOrEqual(READ_IN_A_FRAME);
          return may;
        };
        let shown = growing.update(text, mayRead);
        for (let left = 1_000; shown.isWaiting; left--) {
          expect(left).toBeGreaterThan(0);
          expect(text.endsWith(shown.rest)).toBe(true);
          frames.shift()?.();
          shown = growing.update(text, mayRead);
        }
        expect(all(shown)).toBe(answer(text));
      }),
      { numRuns: 100 },
    );
  });

  it('looks the same however it has come', () => {
    fc.assert(
      fc.property(
        fc.array(fragment, { minLength: 1, maxLength: 80 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 }),
        (fragments, sizes) => {
          const text = fragments.join('');
          const growing = new GrowingMarkdown();
          let at = 0;
          for (let i = 0; at < text.length; i++) {
            at += sizes[i % sizes.length] ?? 1;
            growing.update(text.slice(0, at));
          }
          expect(all(growing.update(text))).toBe(answer(text));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a long block', () => {
  it('of code is one block, whatever stands in it', () => {
    const lines = Array.from({ length: 2_000 }, (_, i) => `# line ${i}\n\n- ${i}`).join('\n');
    expect(answer(`a\n~~~\n${lines}\n~~~\nb`)).toBe(
      `<p>"a"</p><pre><code>${JSON.stringify(lines)}</code></pre><p>"b"</p>`,
    );
  });

  it('such as a list goes on with its items, and an ordered one with its numbers', () => {
    const items = Array.from({ length: 300 }, (_, i) => `${i + 1}. item ${i + 1}\n   goes on`);
    const shown = answer(items.join('\n'));
    expect(shown.match(/<li>/g)).toHaveLength(300);
    for (const [, start, words] of shown.matchAll(/<ol start=(\d+)><li>"item (\d+)/g))
      expect(start).toBe(words);
    expect(shown).not.toContain('<p>');
  });

  it('such as a table has the names of its columns in each part', () => {
    const rows = Array.from({ length: 300 }, (_, i) => `| ${i} | value |`);
    const shown = answer(['| number | name |', '|---|---|', ...rows].join('\n'));
    expect(shown.match(/<td>"\d+/g)).toHaveLength(300);
    expect(shown.match(/<table>/g)).toHaveLength(shown.match(/<th>"number"/g)?.length ?? 0);
    expect(shown).not.toContain('<p>');
  });

  it('such as a paragraph of one line is cut between words', () => {
    const shown = answer('word '.repeat(1_500).trim());
    expect(shown.match(/word/g)).toHaveLength(1_500);
    expect(shown).toMatch(/^(<p>"(word ?)+"<\/p>)+$/);
  });
});

describe('blocks that hold blank lines', () => {
  it('are one', () => {
    expect(answer('- a\n\n- b\n\n  more\n\n- c').match(/<ul>/g)).toHaveLength(1);
    expect(answer('1. a\n   ```js\n   x\n\n   y\n   ```\n2. b').match(/<ol|<pre>/g)).toEqual([
      '<ol',
      '<pre>',
    ]);
    expect(answer('    a\n\n    b').match(/<pre>/g)).toHaveLength(1);
  });
});
