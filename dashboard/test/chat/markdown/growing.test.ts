// Answers as Markdown: what a model may write becomes text, links to the web and a few kinds of blocks, and nothing else.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowingMarkdown } from '../../../src/chat/markdown/growing.ts';
import { all, answer, drawn } from './drawn.ts';

const BLOCKS = [
  '# a heading',
  'a paragraph with *emphasis*, **more**, ~~less~~ and `code <b>`',
  '- one\n- two\n\n  with a paragraph\n- [x] done',
  '3. three\n4. four',
  '> quoted\n> > twice',
  '| a | b |\n| --- | :-: |\n| 1 | snake_case_name |',
  '```js\nconst a = "`";\n\n# no heading\n```',
  '---',
  'https://example.com/a?b=c and me@example.com',
  '    indented',
  'a  \nbreak',
  '<div>\n<b>html</b>\n</div>',
];
const DOCUMENT = BLOCKS.join('\n\n');

/** The elements that were made, whatever the texts say. */
function elementsIn(shown: string): string[] {
  return Array.from(shown.replace(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/<(\w+)/g), ([, name = '']) => name);
}

describe('an answer', () => {
  it('becomes blocks', () => {
    expect(answer('# a *b*')).toBe('<h3>"a "<em>"b"</em></h3>');
    expect(answer('- a\n- b')).toBe('<ul><li>"a"</li><li>"b"</li></ul>');
    expect(answer('2. a')).toBe('<ol start=2><li>"a"</li></ol>');
    expect(answer('```js\na < b\n```')).toBe('<pre><code>"a < b"</code></pre>');
    expect(answer('|a|\n|-|\n|b|')).toBe(
      '<div class=table><table><thead><tr><th>"a"</th></tr></thead><tbody><tr><td>"b"</td></tr></tbody></table></div>',
    );
  });

  it('keeps identifiers and products as they are', () => {
    for (const text of ['snake_case_name', '2 * 3 * 4', 'a_b_c __init__x', 'gpu-3:/var/log/a_b.log'])
      expect(answer(text)).toBe(`<p>${JSON.stringify(text)}</p>`);
  });

  it('reads entities as what they mean, but not in code', () => {
    expect(answer('a &lt;b&gt; &amp; &#65;&#x42; &#0; &#xD800; &nope;')).toBe(
      '<p>"a <b> & AB \ufffd \ufffd &nope;"</p>',
    );
    expect(answer('`&lt;`')).toBe('<p><code>"&lt;"</code></p>');
  });

  it('looks the same however it has come', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
    const blocks = fc.array(fc.constantFrom(...BLOCKS), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(blocks, pieces, (chosen, sizes) => {
        const text = chosen.join('\n\n');
        const growing = new GrowingMarkdown();
        let at = 0;
        for (let i = 0; at < text.length; i++) {
          at += sizes[i % sizes.length] ?? 1;
          growing.update(text.slice(0, at));
        }
        expect(all(growing.update(text))).toBe(answer(text));
      }),
      { numRuns: 100 },
    );
  });

  it('is drawn at every prefix, and keeps the nodes of blocks that are complete', () => {
    const growing = new GrowingMarkdown();
    for (let end = 0; end <= DOCUMENT.length; end++)
      expect(growing.update(DOCUMENT.slice(0, end)).rest).toBe('');
    const [heading] = growing.update(DOCUMENT).blocks;
    expect(growing.update(`${DOCUMENT}\n\nmore`).blocks[0]).toBe(heading);
  });

  it('begins anew if its text turns out to be another', () => {
    const growing = new GrowingMarkdown();
    growing.update('one\n\ntwo\n\nthree');
    expect(all(growing.update('other'))).toBe('<p>"other"</p>');
  });

  it('shows a fence that is not closed yet as code, at every prefix of it', () => {
    const text = 'a\n\n````py\nx = 1\n```\n**no emphasis**';
    const open = text.indexOf('py') + 3;
    for (let end = open; end <= text.length; end++) {
      const shown = answer(text.slice(0, end));
      expect(shown).toMatch(/^<p>"a"<\/p><pre><code>/);
      expect(shown).not.toContain('<strong>');
    }
  });
});

describe('of what is hostile', () => {
  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://example.com/x',
    '//example.com',
    '/api/runs',
    '?panel=people',
    '#c',
    '&#106;avascript:alert(1)',
  ])('no link leads to %s', (href) => {
    for (const text of [`[click](<${href}>)`, `[click](${href})`, `<${href}>`, `![click](<${href}>)`])
      expect(answer(text)).not.toContain('<a ');
  });

  it('a link says where it leads, whatever its text says', () => {
    const link = (text: string) => answer(text);
    expect(link('[your bank](https://evil.example/x)')).toBe(
      '<p><a href=https://evil.example/x target=_blank rel=noopener noreferrer>"your bank"</a><span class=dim>" (evil.example)"</span></p>',
    );
    expect(link('[https://bank.example](https://evil.example)')).toContain('(evil.example)');
    expect(link('[https://bank.example](https://bank.example@evil.example)')).toContain('(evil.example)');
    expect(link('[https://bank.example](https://bank.example.evil.example)')).toContain(
      '(bank.example.evil.example)',
    );
    expect(link('[a](https://b\u0430nk.example)')).toContain('(xn--');
    expect(link('[a](mailto:x@evil.example)')).toContain('(x@evil.example)');
    expect(link('https://bank.example/a')).not.toContain('(bank.example)');
  });

  it('an image is never loaded: it is a link', () => {
    expect(answer('![a cat](https://track.example/1.png?q=secret)')).toBe(
      '<p><a href=https://track.example/1.png?q=secret target=_blank rel=noopener noreferrer>"[image: a cat (track.example)]"</a></p>',
    );
    for (const text of [
      '<img src=x onerror=alert(1)>',
      '![a][b]\n\n[b]: https://track.example',
      '[![a](https://a.example)](https://b.example)',
    ])
      expect(elementsIn(answer(text))).not.toContain('img');
  });

  it('HTML is text', () => {
    const kinds = new Set<string>();
    for (const html of [
      '<script>alert(1)</script>',
      '<svg onload=alert(1)>',
      'a <b onclick=x>b</b> <!-- c -->',
      '<div>\n<iframe src=javascript:alert(1)>\n</div>',
      '<style>*{display:none}</style>',
      '<details open ontoggle=alert(1)>',
      '<a href="javascript:alert(1)">x</a>',
      '</p></div><script>alert(1)</script>',
      '`<script>`',
      '| <script>x</script> |\n|-|\n| <img src=x> |',
    ])
      for (const kind of elementsIn(answer(html))) kinds.add(kind);
    expect([...kinds].sort()).toEqual(['code', 'div', 'p', 'table', 'tbody', 'td', 'th', 'thead', 'tr']);
  });

  it.each([
    ['3,000 quotes', '>'.repeat(3_000)],
    ['3,000 quotes with spaces', '> '.repeat(3_000)],
    [
      'a list nested 1,000 deep',
      Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i * 2)}- a`).join('\n'),
    ],
    ['dashes', '- '.repeat(3_000)],
    ['brackets', '['.repeat(60_000)],
    ['links in links', `${'[a]('.repeat(3_000)}${')'.repeat(3_000)}`],
    ['emphasis in emphasis', '*_'.repeat(20_000)],
    ['emphasis that never ends', 'a_b'.repeat(20_000)],
    [
      'a table of 8,000 columns and 8,000 rows',
      `|${'a|'.repeat(8_000)}\n|${'-|'.repeat(8_000)}\n${'|\n'.repeat(8_000)}`,
    ],
    ['a quote whose lines are half marked', '> - a\nb\n'.repeat(8_000)],
    ['a text of a megabyte', 'a b *c* '.repeat(131_072)],
    ['control characters', '\0\u001b[31m\u202e\ud800\ufeff a'],
  ])('%s: nothing is thrown, and not too many nodes are made', (_, text) => {
    const growing = new GrowingMarkdown();
    for (const end of [text.length >> 2, text.length >> 1, text.length]) growing.update(text.slice(0, end));
    expect(elementsIn(answer(text)).length).toBeLessThan(20_000);
  });

  it('what stands behind 64 kB is shown as it is', () => {
    const { blocks, rest } = new GrowingMarkdown().update('*a* '.repeat(20_000));
    expect(drawn([...blocks])).toContain('<em>"a"</em>');
    expect(rest.length).toBeGreaterThan(10_000);
    expect(rest).toMatch(/^ ?(\*a\* )+$/);
  });
});
