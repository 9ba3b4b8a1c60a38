// The number of values in a JSON text, counted without parsing, agrees with the number in the parsed value.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePayload } from '../src/decode/decode.ts';
import { holdsMoreThan, isDeeperThan, isWiderThan } from '../src/json-values.ts';

const valuesIn = (value: unknown): number =>
  typeof value !== 'object' || value === null
    ? 1
    : Object.values(value).reduce((sum: number, inner) => sum + valuesIn(inner), 1);

const emptyIn = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value);
  return inner.reduce((sum: number, each) => sum + emptyIn(each), inner.length === 0 ? 1 : 0);
};

/** Makes the text long enough to be counted, without adding a value. */
const padded = (json: string) => json + ' '.repeat(65_537);

it('knows of any JSON whether it holds more values than allowed, before and after it is parsed', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const json = JSON.stringify(value);
      const parsed: unknown = JSON.parse(json);
      const count = valuesIn(parsed);
      expect(isWiderThan(count, parsed)).toBe(false);
      expect(isWiderThan(count - 1, parsed)).toBe(true);
      // In the text, an empty object or array is counted as if it held one value.
      const most = count + emptyIn(parsed);
      expect(holdsMoreThan(most, padded(json))).toBe(false);
      if (most > 1) expect(holdsMoreThan(most - 1, padded(json))).toBe(true);
    }),
  );
});

it('does not count what stands inside a string', () => {
  expect(holdsMoreThan(10, JSON.stringify(`,[{"\\,`.repeat(20_000)))).toBe(false);
});

it('a message of more values than an entry may hold is shown as text', () => {
  const text = `{"msg":"x",${Array.from({ length: 12_000 }, (_, i) => `"k${i}":1`).join(',')}}`;
  const fields = decodePayload(text, { channel: 'logs', now: 1, source: 'x' });
  expect(fields.msg).toBe(text);
  expect(fields.attrs).toBeUndefined();
});

it('knows how deep a text is, also beside brackets in strings', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.string(), (levels, text) => {
      const nested = '[1,{"a":'.repeat(levels) + JSON.stringify(`[{"${text}`) + '}]'.repeat(levels);
      expect(isDeeperThan(2 * levels, nested)).toBe(false);
      expect(isDeeperThan(2 * levels - 1, nested)).toBe(levels > 0);
    }),
  );
});
