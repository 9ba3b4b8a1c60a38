// Many JSON values in one text are found one by one, as a parser would find them.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonTexts } from '../../src/shippers/json-texts.ts';

const found = (text: string) => [...jsonTexts(text)].map((one) => JSON.parse(one) as unknown);

describe('values are found', () => {
  it.each<[string, string, unknown[]]>([
    ['in an array', ' [1, {"a":[2,"]"]} ,"x,y" , null]\n', [1, { a: [2, ']'] }, 'x,y', null]],
    ['in an empty array', '[ ]', []],
    ['one after the other', '{"a":1}{"b":"}{"}  {"c":"\\"}"}', [{ a: 1 }, { b: '}{' }, { c: '"}' }]],
    ['on lines', '{"a":1}\r\n\n{"b":2}\n', [{ a: 1 }, { b: 2 }]],
    ['with record separators', '\x1e{"a":1}\n\x1e{"b":2}\n', [{ a: 1 }, { b: 2 }]],
    ['that are no objects', '"a" 1 true', ['a', 1, true]],
    ['in nothing', ' \n ', []],
  ])('%s', (_, text, values) => {
    expect(found(text)).toEqual(values);
  });

  it('whatever they hold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.constantFrom('', ' ', '\n'),
        (values, blank) => {
          expect(found(JSON.stringify(values))).toEqual(JSON.parse(JSON.stringify(values)));
          const objects = values.map((value) => ({ value }));
          const text = objects.map((one) => JSON.stringify(one)).join(blank);
          expect(found(text)).toEqual(JSON.parse(JSON.stringify(objects)));
        },
      ),
    );
  });
});

it.each([
  ['an array that does not end', '[1,2'],
  ['a comma at the end', '[1,]'],
  ['no comma', '[1 2]'],
  ['something after the array', '[1] 2'],
  ['an object that does not end', '{"a":1}{"b":'],
  ['a string that does not end', '{"a":"'],
  ['no JSON', '{"a":1}, nothing'],
])('%s is refused', (_, text) => {
  expect(() => found(text)).toThrow(expect.objectContaining({ code: 'invalid_json' }));
});

it('one value of more than 4 MiB is refused', () => {
  expect(() => found(`{"a":"${'x'.repeat(4_194_304)}"}`)).toThrow(
    expect.objectContaining({ code: 'batch_too_large' }),
  );
});
