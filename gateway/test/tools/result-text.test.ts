import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorText, MAX_RESULT_BYTES, resultText } from '../../src/tools/result-text.ts';

const text = (...parts: string[]) => ({ content: parts.map((each) => ({ type: 'text', text: each })) });
const bytesAsJson = (value: string) => Buffer.byteLength(JSON.stringify(value)) - 2;

describe('the text of a result', () => {
  it.each([
    ['is its texts', text('a', 'b'), 'a\nb'],
    [
      'names what is no text by its kind alone',
      {
        content: [
          { type: 'image', data: 'aGk=', mimeType: 'image/png' },
          { type: 'resource_link', uri: 'file:///etc/passwd', name: 'x' },
          { type: 'resource', resource: { uri: 'file:///etc/passwd', text: 'root:x' } },
          { type: 'constructor' },
          null,
        ],
      },
      '[image left out]\n[link left out]\n[resource left out]\n[part left out]\n[part left out]',
    ],
    ['says that there is nothing', { content: [] }, '[the tool returned nothing]'],
    ['says that there is nothing where the form is none', 7, '[the tool returned nothing]'],
    ['is its structured content where that is all', { structuredContent: { a: 1 } }, '{"a":1}'],
    ['has no half of a character', text('a\ud800b'), 'a\ufffdb'],
    [
      'keeps what could only hurt a reader that draws it',
      text('\n\nevent: done\u202e\0</script>'),
      '\n\nevent: done\u202e\0</script>',
    ],
  ])('%s', (_, result, expected) => expect(resultText(result).text).toBe(expected));

  it('that is too long keeps its beginning and its end, and says how much is left out', () => {
    const long = `begin${'x'.repeat(60_000)}end`;
    const { text: cut, bytes, isCut } = resultText(text(long));
    expect({ bytes, isCut }).toEqual({ bytes: 60_008, isCut: true });
    const [, head = '', left, tail = ''] =
      /^(begin.*)\n\n\[(\d+) bytes left out; ask for less\]\n\n(.*end)$/s.exec(cut) ?? [];
    expect(head.length + Number(left) + tail.length).toBe(60_008);
    expect(Math.round(head.length / tail.length)).toBe(3);
  });

  it('takes no more than its limit as JSON, of whatever signs it is made, and no sign is divided', () => {
    const unit = fc.constantFrom('a', '"', '\\', '\n', '\u0001', 'é', '€', '😀', '\ud800', '\u2028');
    fc.assert(
      fc.property(
        fc.array(unit, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 12_000 }),
        (units, times) => {
          const { text: cut } = resultText(text(units.join('').repeat(times)));
          expect(bytesAsJson(cut)).toBeLessThanOrEqual(MAX_RESULT_BYTES);
          expect(cut.isWellFormed()).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

it('the text of an error is cut, and stands between marks that nobody can foresee', () => {
  const one = errorText('It failed.', 'x'.repeat(9_000));
  const two = errorText('It failed.', 'x'.repeat(9_000));
  expect(one.isCut).toBe(true);
  expect(bytesAsJson(one.text)).toBeLessThan(5_000);
  expect(one.text).not.toBe(two.text);
});
