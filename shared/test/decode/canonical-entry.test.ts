// Only a text that the log would have written in exactly this form, and that every reader understands in the same way, is taken as it
// is, without being parsed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWellFormed, writeHead } from '../../src/broker/record.ts';
import { parseCanonical } from '../../src/decode/canonical-entry.ts';
import { decodeObject, draftPayload } from '../../src/decode/decode.ts';
import { draft, LEVELS } from '../../src/entry.ts';

const LIMIT = 4_096;
const context = { channel: 'logs', now: 1_795_224_320_113, source: 'redis' };
const ENTRY = { time: 1_795_224_320_000, channel: 'logs', source: 'gpu-7', level: 'info', msg: 'hi' };

const deep = (levels: number): object => (levels === 0 ? {} : { in: deep(levels - 1) });

const taken = (text: string) => parseCanonical(text, LIMIT);

describe('a text that the log would write just so', () => {
  it.each([
    ENTRY,
    { ...ENTRY, msg: 'größer — \\n "quoted" 🙂', event: 'run.started', run: 'r7' },
    { ...ENTRY, attrs: { ms: 12, ok: true, none: null, usage: { in: 1, deep: { er: 2 } } } },
  ])('is taken as it is: %j', (entry) => {
    const text = JSON.stringify(entry);
    expect(taken(text)).toEqual({ channel: 'logs', body: text });
    expect(draft(decodeObject(entry, context, 'strict'), LIMIT).body).toBe(text);
  });

  it.each<[string, string]>([
    ['spaces between its parts, as Python writes it', JSON.stringify(ENTRY).replaceAll(',', ', ')],
    ['a space after a colon', JSON.stringify(ENTRY).replace('"time":', '"time": ')],
    ['its keys in another order', JSON.stringify(Object.fromEntries(Object.entries(ENTRY).reverse()))],
    ['attributes before its end', JSON.stringify({ ...ENTRY, attrs: { a: 1 }, run: 'r' })],
    ['a time written otherwise', JSON.stringify(ENTRY).replace('1795224320000', '1.79522432e12')],
    ['a channel that is no name', JSON.stringify({ ...ENTRY, channel: 'a b' })],
    ['no channel', JSON.stringify({ ...ENTRY, channel: undefined })],
    ['an id of its own', JSON.stringify({ id: '1-1', ...ENTRY })],
    ['a prev at its end', JSON.stringify({ ...ENTRY, prev: 0 })],
    ['a key that is an attribute', JSON.stringify({ ...ENTRY, ms: 12 })],
    ['seconds', JSON.stringify({ ...ENTRY, time: 1_795_224_320 })],
    ['a time as text', JSON.stringify({ ...ENTRY, time: '2026-11-21T10:00:00Z' })],
    ['a level by number', JSON.stringify({ ...ENTRY, level: 30 })],
    ['no message', JSON.stringify({ ...ENTRY, msg: '' })],
    ['a blank message', JSON.stringify({ ...ENTRY, msg: ' \n\u00a0\t' })],
    ['an empty source', JSON.stringify({ ...ENTRY, source: '' })],
    ['a source that is too long', JSON.stringify({ ...ENTRY, source: 'x'.repeat(201) })],
    ['attributes that are a list', JSON.stringify({ ...ENTRY, attrs: [1] })],
    ['attributes that lie too deep', JSON.stringify({ ...ENTRY, attrs: deep(33) })],
    [
      'a second channel, which readers would take',
      JSON.stringify(ENTRY).replace(/}$/, ',"channel":"runs:x"}'),
    ],
    ['half a character', JSON.stringify(ENTRY).replace('hi', '\\ud800')],
    ['an escape', JSON.stringify(ENTRY).replace('hi', '\\u001b[1m')],
    ['a byte that was none', JSON.stringify({ ...ENTRY, msg: '\ufffd' })],
    ['a line break between its parts', JSON.stringify(ENTRY, null, 1)],
    ['a space before it', ` ${JSON.stringify(ENTRY)}`],
    ['more bytes than an entry may have', JSON.stringify({ ...ENTRY, msg: 'ü'.repeat(LIMIT / 2) })],
    ['a key called __proto__', `${JSON.stringify(ENTRY).slice(0, -1)},"__proto__":{"a":1}}`],
  ])('is not one with %s', (_, text) => {
    expect(taken(text)).toBeNull();
  });
});

describe('a payload', () => {
  const sound = fc.record({
    time: fc.integer({ min: 1e12, max: 2e12 }),
    channel: fc.constant('logs'),
    source: fc.string({ minLength: 1, maxLength: 3 }),
    level: fc.constantFrom(...LEVELS),
    msg: fc.string({ minLength: 1, maxLength: 20 }),
  });
  const scalar = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.constantFrom(true, null),
  );
  const inner = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    fc.dictionary(fc.string(), scalar, { maxKeys: 3, noNullPrototype: true }),
  );
  const nested = fc
    .tuple(sound, fc.dictionary(fc.string(), inner, { minKeys: 1, maxKeys: 3, noNullPrototype: true }))
    .map(([entry, attrs]) => ({ ...entry, attrs }));
  const fields = fc.record(
    {
      time: fc.oneof(fc.integer({ min: 0, max: 2e12 }), fc.string()),
      channel: fc.constantFrom('logs', 'other'),
      source: fc.string({ maxLength: 3 }),
      level: fc.constantFrom(...LEVELS, 'loud', 30),
      msg: fc.string({ unit: 'binary', maxLength: 20 }),
      event: fc.string({ maxLength: 3 }),
      attrs: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true }),
      extra: fc.jsonValue(),
    },
    { requiredKeys: ['channel'] },
  );

  it('that is changed at any place and still taken means to a parser what is stored', () => {
    let count = 0;
    const replacement = fc.oneof(
      fc.constantFrom(...'{}[]",:\\/0e.-nu \n\u2028\ufffd'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    );
    fc.assert(
      fc.property(nested, fc.nat(), fc.nat(2), replacement, (entry, place, cut, instead) => {
        const text = JSON.stringify(entry);
        const at = place % text.length;
        const changed = text.slice(0, at) + instead + text.slice(at + cut);
        const written = taken(changed);
        if (!written) return;
        count++;
        const object = JSON.parse(changed) as Record<string, unknown>;
        expect(written.channel).toBe(object.channel);
        const anew = draft(decodeObject(object, { ...context, channel: written.channel }, 'strict'), LIMIT);
        expect(object).toEqual(JSON.parse(anew.body));
      }),
      { numRuns: 5_000 },
    );
    expect(count).toBeGreaterThan(100);
  });

  it('becomes the same entry whether it is taken as it is or decoded and written again', () => {
    let count = 0;
    fc.assert(
      fc.property(fc.oneof(sound, fields), fc.boolean(), (entry, spaced) => {
        const text = JSON.stringify(entry).replaceAll('":', spaced ? '": ' : '":');
        const object = JSON.parse(text) as Record<string, unknown>;
        if (taken(text) !== null) count++;
        const anew = draft(decodeObject(object, context, 'lenient'), LIMIT);
        const { channel, body } = draftPayload(Buffer.from(text), context, LIMIT);
        expect(channel).toBe('logs');
        expect(JSON.parse(body)).toEqual(JSON.parse(anew.body));
        const stored = Buffer.from(writeHead(1_795_224_320_113_456, 'k3f9a2b1', 0) + body.slice(1));
        expect(isWellFormed(stored, 'logs')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    expect(count).toBeGreaterThan(0);
  });
});
