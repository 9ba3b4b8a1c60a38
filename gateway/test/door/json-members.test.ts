import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inputOf, readCall } from '../../src/door/call-request.ts';
import { eachMember, textOf } from '../../src/door/json-members.ts';

const slicer = new TimeSlicer();

async function members(text: string): Promise<[string, string][] | undefined> {
  const json = Buffer.from(text);
  const found: [string, string][] = [];
  const isWhole = await eachMember(json, { from: 0, to: json.length }, slicer, (key, { from, to }) =>
    found.push([key, json.toString('utf8', from, to)]),
  );
  return isWhole ? found : undefined;
}

describe('the members of a JSON text', () => {
  it('of any object are found as a parser finds them, however it is written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ maxLength: 20 }), fc.jsonValue()),
        fc.constantFrom(0, 1, '\t'),
        async (value, space) => {
          const found = await members(JSON.stringify(value, null, space));
          expect(found?.map(([key, text]) => [key, JSON.parse(text)])).toEqual(
            Object.entries(JSON.parse(JSON.stringify(value))),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of any list, too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.constantFrom(0, 1), async (value, space) => {
        const found = await members(JSON.stringify(value, null, space));
        expect(found?.map(([, text]) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('of no text that is neither', async () => {
    for (const text of ['', '  ', '12', '"text"', 'null', '{"a":1', '{"a":"b', '[1,2', '{"a\\":1}'])
      expect(await members(text), text).toBeUndefined();
  });

  it('are found for any bytes without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await members(`{${Buffer.from(bytes).toString('latin1')}`);
      }),
    );
  });

  it('are found while others have their turns, also in megabytes of quotes that are escaped', async () => {
    for (const text of [
      `{"a":"${'\\"'.repeat(3_000_000)}","b":1}`,
      `{"a":[${'"",'.repeat(2_000_000)}1],"b":1}`,
      `{"a":"${'\\\\'.repeat(8_000_000)}","b":1}`,
      `{"a":${' '.repeat(16_000_000)}1,"b":1}`,
    ]) {
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const found = await members(text);
      clearInterval(timer);
      expect(found?.map(([key]) => key)).toEqual(['a', 'b']);
      expect(turns).toBeGreaterThan(2);
    }
  });
});

it('a text that is no string of JSON is an empty text', () => {
  const json = Buffer.from('12"\\x"');
  expect([textOf(json, { from: 0, to: 2 }), textOf(json, { from: 2, to: 6 })]).toEqual(['', '']);
});

it('what a model is given is not parsed if it holds more values than an entry may', async () => {
  const given = async (names: number) => {
    const input = Object.fromEntries(Array.from({ length: names }, (_, i) => [`k${i}`, 1]));
    const body = Buffer.from(JSON.stringify({ model: 'm', input }));
    return (await inputOf(body, await readCall(body), 524_288)).value;
  };
  expect(await given(20_000)).toBeUndefined();
  expect(await given(5_000)).toBeTypeOf('object');
});
