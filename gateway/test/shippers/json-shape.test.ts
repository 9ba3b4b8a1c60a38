// What may be parsed in one step, whatever its strings hold.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkShape } from '../../src/shippers/json-shape.ts';

const MOST = { values: 12, members: 3, depth: 3 };
const refused = expect.objectContaining({ code: 'batch_too_large' });

it.each([
  ['names up to the bound', '{"a":1,"b":2,"c":3}'],
  ['depth up to the bound', '[[[1]]]'],
  ['signs in strings', `{"a":"${'[{,\\"}'.repeat(50)}","b":"\\\\"}`],
  ['a string that does not end', '{"a":"x'],
  ['brackets that end more than began', ']]]}}}'],
])('%s may', async (_, text) => {
  await checkShape(text, MOST);
});

it.each([
  ['one name too many', '{"a":1,"b":2,"c":3,"d":4}'],
  ['one level too many', '[[[[1]]]]'],
  ['one value too many', `[${Array(13).fill(1).join()}]`],
  ['names after a string that ends in an escaped backslash', '{"a":"\\\\","b":2,"c":3,"d":4}'],
])('%s may not', async (_, text) => {
  await expect(checkShape(text, MOST)).rejects.toEqual(refused);
});

it('values are counted alike however they are written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string(), { minLength: 1, maxLength: 20 }), async (texts) => {
      const most = { values: 11, members: 1, depth: 1 };
      const outcome = await checkShape(JSON.stringify(texts), most).then(
        () => 'taken',
        () => 'refused',
      );
      expect(outcome).toBe(texts.length <= 10 ? 'taken' : 'refused');
    }),
  );
});
