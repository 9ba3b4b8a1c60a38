// The body of an entry is one line of JSON within the limit, whatever the writer gives, with a mark where text was cut.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_ENTRY_BYTES,
  draft,
  type EntryFields,
  LEVELS,
  levelAtLeast,
  utf8Bytes,
} from '../src/entry.ts';

const fields = (more: Partial<EntryFields> = {}): EntryFields => ({
  time: 1_795_224_320_113,
  channel: 'logs',
  source: 'vllm-1',
  level: 'info',
  msg: 'hello',
  ...more,
});

const bytes = (text: string) => Buffer.byteLength(text);
const anyText = fc.string({ unit: 'binary', maxLength: 3000 });
const anyUnits = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 3000 })
  .map((units) => String.fromCharCode(...units));

const anyFields: fc.Arbitrary<EntryFields> = fc.record(
  {
    time: fc.integer({ min: 0, max: 8_640_000_000_000 }),
    channel: fc.stringMatching(/^[A-Za-z0-9_.:/-]{1,200}$/),
    source: fc.string({ unit: 'binary', maxLength: 200 }),
    level: fc.constantFrom(...LEVELS),
    msg: fc.oneof(anyText, anyUnits),
    event: fc.string({ unit: 'binary', maxLength: 200 }),
    run: fc.string({ unit: 'binary', maxLength: 200 }),
    attrs: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 20 }),
  },
  { requiredKeys: ['time', 'channel', 'source', 'level', 'msg'] },
);

describe('draft', () => {
  it('writes the fields as one JSON object that begins with none of the keys that the log gives', () => {
    const said = fields({ event: 'run.started', run: 'r7', attrs: { a: [1, { b: null }] } });
    const { channel, body } = draft(said);
    expect(channel).toBe('logs');
    expect(JSON.parse(body)).toEqual(said);
    expect(body.startsWith('{"time":')).toBe(true);
  });

  it('leaves out what an entry does not have', () => {
    expect(Object.keys(JSON.parse(draft(fields()).body))).toEqual([
      'time',
      'channel',
      'source',
      'level',
      'msg',
    ]);
  });

  it('never exceeds the limit and is always one line of valid JSON', () => {
    fc.assert(
      fc.property(anyFields, fc.integer({ min: 1024, max: 20_000 }), (said, limit) => {
        const { body } = draft(said, limit);
        expect(bytes(body)).toBeLessThanOrEqual(limit);
        expect(body).not.toMatch(/[\r\n]/);
        expect(JSON.parse(body)).toMatchObject({ time: said.time, channel: said.channel, level: said.level });
      }),
      { numRuns: 500 },
    );
  });

  it('never exceeds the smallest limit, whatever the labels and the alphabet', () => {
    for (let length = 1; length <= 200; length++) {
      const label = '\u0001'.repeat(length);
      const worst = fields({
        channel: 'c'.repeat(200),
        source: label,
        event: label,
        run: label,
        msg: 'm',
        attrs: { label },
      });
      expect(bytes(draft(worst, 1024).body)).toBeLessThanOrEqual(1024);
      expect(bytes(draft(fields({ msg: '語'.repeat(200 + length) }), 1024).body)).toBeLessThanOrEqual(1024);
    }
  });

  it('shows what was cut, and changes nothing if nothing must be cut', () => {
    fc.assert(
      fc.property(anyFields, fc.integer({ min: 1024, max: 20_000 }), (said, limit) => {
        const whole = draft(said, Number.MAX_SAFE_INTEGER).body;
        const { body } = draft(said, limit);
        if (bytes(whole) <= limit) expect(body).toBe(whole);
        else expect(body).toMatch(/… \[cut: \d+ bytes\]"|"cut":"attributes/);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps as much of a long text as fits, and says how long it was', () => {
    const msg = 'é'.repeat(100_000);
    const { body } = draft(fields({ msg }));
    expect(bytes(body)).toBeGreaterThan(DEFAULT_ENTRY_BYTES - 3);
    expect(JSON.parse(body).msg).toMatch(/^é+… \[cut: 200000 bytes\]$/);
  });

  it('cuts between characters, never inside one', () => {
    for (let pad = 0; pad < 4; pad++) {
      const { msg } = JSON.parse(draft(fields({ msg: 'x'.repeat(pad) + '🦙'.repeat(2000) }), 1024).body);
      expect(msg).toMatch(/^x*(🦙)+… \[cut: \d+ bytes\]$/u);
    }
  });

  it('keeps the first length when a text is cut for the second time', () => {
    const once = JSON.parse(draft(fields({ msg: 'a'.repeat(9000) }), 4096).body);
    expect(JSON.parse(draft(once, 1024).body).msg).toMatch(/^a+… \[cut: 9000 bytes\]$/);
  });

  it('prefers the text to attributes that do not fit', () => {
    const said = fields({ msg: 'kept', attrs: { big: 'x'.repeat(100_000) } });
    expect(JSON.parse(draft(said).body)).toEqual({
      ...fields({ msg: 'kept' }),
      attrs: { cut: 'attributes over the size limit' },
    });
  });

  it('does not throw on attributes that are no JSON', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const deep = JSON.parse(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`);
    for (const attrs of [cycle, { big: 1n }, deep]) {
      expect(JSON.parse(draft(fields({ attrs })).body).attrs).toEqual({ cut: 'attributes that are no JSON' });
    }
  });

  it('replaces lone surrogates, so that the body is the same before and after UTF-8', () => {
    const { body } = draft(fields({ msg: 'a\ud800b\udc00c' }));
    expect(JSON.parse(Buffer.from(body).toString()).msg).toBe('a\ufffdb\ufffdc');
  });
});

describe('attributes that cannot fit', () => {
  it('are not written, only to be dropped', () => {
    let written = 0;
    const probe = { toJSON: () => ++written };
    const { body } = draft(fields({ attrs: { probe, deep: [{ text: 'x'.repeat(5_000) }] } }), 4_096);
    expect(JSON.parse(body)).toEqual(fields({ attrs: { cut: 'attributes over the size limit' } }));
    expect(written).toBe(0);
  });

  it('are all others, wherever their texts stand', () => {
    const attrs = { a: ['x'.repeat(1_500)], b: { c: 'x'.repeat(1_500) } };
    expect(JSON.parse(draft(fields({ attrs }), 4_096).body).attrs).toEqual(attrs);
  });
});

it('the bytes of a long text are counted as an encoder gives them', () => {
  fc.assert(
    fc.property(anyUnits, fc.constantFrom('a', 'é', '…', '😀', '\ud800', '\udc00'), (text, unit) => {
      const long = text + unit.repeat(70_000);
      expect(utf8Bytes(long)).toBe(new TextEncoder().encode(long).length);
    }),
  );
});

describe('levelAtLeast', () => {
  it('orders the levels as pino does', () => {
    for (const [i, level] of LEVELS.entries())
      for (const [j, floor] of LEVELS.entries()) expect(levelAtLeast(level, floor)).toBe(i >= j);
  });
});
