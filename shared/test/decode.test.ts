// Any payload becomes an entry: the shapes that loggers write keep their fields, and nothing makes the decoder throw.
import fc from 'fast-check';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { type DecodeContext, decodeObject, decodePayload } from '../src/decode.ts';
import { draft, LEVELS } from '../src/entry.ts';
import { CodedError } from '../src/errors.ts';

const NOW = 1_795_224_320_113;
const context: DecodeContext = { channel: 'logs', now: NOW, source: 'unknown' };
const decode = (payload: Uint8Array | string | object) =>
  decodePayload(
    typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload),
    context,
  );

/** What a reader of the stored entry would see. */
const stored = (payload: Uint8Array | string) => JSON.parse(draft(decode(payload)).body);

describe('a payload of any kind', () => {
  const jsonish = fc
    .tuple(fc.json({ maxDepth: 6 }), fc.nat(200), fc.string({ unit: 'binary', maxLength: 5 }))
    .map(([json, at, junk]) => json.slice(0, at) + junk + json.slice(at));
  const known = fc.dictionary(
    fc.constantFrom(
      'time',
      'timestamp',
      'ts',
      'level',
      'severity',
      'msg',
      'message',
      'source',
      'name',
      'event',
      'run',
      'attrs',
      'id',
      'log',
      'prev',
      'channel',
      '__proto__',
      'constructor',
      'toString',
      'toJSON',
      'then',
    ),
    fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.double()),
  );
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.string({ unit: 'binary', maxLength: 2000 }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    jsonish,
    known.map((object) => JSON.stringify(object)),
    known.map((object) => Buffer.from(JSON.stringify(object))),
  );

  it('becomes an entry of well-formed fields and never throws', () => {
    fc.assert(
      fc.property(payload, (anything) => {
        const entry = stored(anything);
        expect(Number.isSafeInteger(entry.time) && entry.time >= 0 && entry.time <= 8.64e15).toBe(true);
        expect(entry.channel).toBe('logs');
        expect(LEVELS).toContain(entry.level);
        expect(entry.source.length).toBeGreaterThan(0);
        expect(entry.msg.isWellFormed()).toBe(true);
        for (const key of ['id', 'log', 'prev']) expect(Object.keys(entry)).not.toContain(key);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives the same entry as bytes and as text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.json()), (text) => {
        fc.pre(!text.startsWith('\ufeff')); // bytes lose their byte order mark
        expect(decode(Buffer.from(text))).toEqual(decode(text));
      }),
    );
  });

  it('is bounded: of 10 MB little is kept, and the entry says how much there was', () => {
    const size = 10_000_000;
    const junk = Buffer.alloc(size);
    for (let i = 0; i < size; i++) junk[i] = (i * 2_654_435_761) >>> 24;
    const payloads = [
      junk,
      Buffer.alloc(size, '\n'),
      Buffer.alloc(size, '{'),
      Buffer.alloc(size, ' '),
      Buffer.alloc(size, 'é').subarray(0, size),
      'x'.repeat(size),
      `{"msg":"${'x'.repeat(size - 10)}"}`,
    ];
    for (const payload of payloads) {
      expect(decode(payload).msg.length).toBeLessThan(1_100_000);
      const { body } = draft(decode(payload));
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(65_536);
      expect(JSON.parse(body).msg).toMatch(/… \[cut: (10000000) bytes\]$/);
    }
  });

  it('costs no more than its length, however it is made', () => {
    // Each of these took a regular expression or a recursion minutes, or a stack overflow, where it was careless.
    const n = 500_000;
    for (const hostile of [
      `${'\n'.repeat(n)}x`,
      `${'\r\n'.repeat(n / 2)}x`,
      ' '.repeat(n),
      `{"time":"${'1'.repeat(n)}x"}`,
      `{"time":"${'2026-'.repeat(n / 5)}"}`,
      `{"a":${'['.repeat(n)}${']'.repeat(n)}}`,
      `{"attrs":${'{"a":'.repeat(n / 6)}1${'}'.repeat(n / 6)}}`,
      `${'['.repeat(n)}error`,
      `${'a.'.repeat(n / 2)}Error:`,
    ]) {
      expect(stored(hostile)).toHaveProperty('msg');
    }
  });

  it('is text where it only looks like JSON', () => {
    for (const text of ['{"msg":"half', '{}trailing', '[1,2]', '"a string"', 'null', '42', '{msg: x}']) {
      expect(decode(text)).toMatchObject({ msg: text, level: 'info', time: NOW, source: 'unknown' });
    }
  });

  it('keeps a text as it is, but for its line end', () => {
    const text = '\u001b[31m<script>alert(1)</script>\u001b[0m\n\nevent: forged\n\ndata: x';
    expect(decode(`${text}\r\n`).msg).toBe(text);
  });

  it('has well-formed labels', () => {
    const entry = stored(String.raw`{"msg":"x","source":"a\ud800","event":"\udc00b","run":"\ud800"}`);
    expect([entry.source, entry.event, entry.run]).toEqual(['a\ufffd', '\ufffdb', '\ufffd']);
  });

  it('replaces bytes that are no UTF-8', () => {
    expect(stored(Buffer.from([0x61, 0xff, 0xc3, 0x28, 0x62])).msg).toBe('a\ufffd\ufffd(b');
  });
});

describe('a JSON object', () => {
  it('that pino wrote keeps its level, time, name and fields', () => {
    const lines: string[] = [];
    const logger = pino({ name: 'api' }, { write: (line: string) => void lines.push(line) });
    logger.warn({ reqId: 7, usage: { tokens: 12 } }, 'slow');
    const written = JSON.parse(lines[0] ?? '');
    expect(decode(lines[0] ?? '')).toEqual({
      time: written.time,
      channel: 'logs',
      source: 'api',
      level: 'warn',
      msg: 'slow',
      attrs: { reqId: 7, usage: { tokens: 12 }, pid: process.pid, hostname: written.hostname },
    });
  });

  it('of the event form becomes an entry with an event', () => {
    expect(
      decode({
        event_type: 'run.started',
        entity_type: 'run',
        entity_id: 'r7',
        timestamp: '2026-11-21T03:22:01.500Z',
        source: 'planner',
        data: { steps: 3 },
      }),
    ).toEqual({
      time: Date.UTC(2026, 10, 21, 3, 22, 1, 500),
      channel: 'logs',
      source: 'planner',
      level: 'info',
      msg: '',
      event: 'run.started',
      attrs: { entity_type: 'run', entity_id: 'r7', data: { steps: 3 } },
    });
  });

  it('that was an entry loses only what the log gives', () => {
    const fields = {
      time: 5e11,
      channel: 'logs',
      source: 's',
      level: 'error',
      msg: 'm',
      event: 'e',
      run: 'r',
      attrs: { a: 1 },
    };
    expect(decode({ id: '1-1', log: 'x', prev: 3, ...fields })).toEqual(fields);
  });

  it('arrives on the channel it came by, whatever it says', () => {
    expect(decode({ channel: 'runs:secret', msg: 'x' })).toEqual({
      ...decode({ msg: 'x' }),
      channel: 'logs',
    });
  });

  it('keeps a known key of a wrong type as an attribute', () => {
    expect(decode({ level: 'loud', msg: 5, time: 'tomorrow', source: '', run: ['r'], name: 'n' })).toEqual({
      time: NOW,
      channel: 'logs',
      source: 'n',
      level: 'info',
      msg: '',
      attrs: { level: 'loud', msg: 5, time: 'tomorrow', source: '', run: ['r'] },
    });
  });

  it('treats a known key that is null as absent', () => {
    expect(decode({ msg: 'x', run: null, event: null, attrs: null })).toEqual(decode({ msg: 'x' }));
  });

  it('cannot reach a prototype', () => {
    const entry = stored('{"msg":"x","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    expect(Object.keys(entry.attrs)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(decode('{"__proto__":{"level":"fatal"}}').attrs)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('whose attributes are too deep keeps its text', () => {
    const deep = `{"msg":"x","a":${'['.repeat(40)}${']'.repeat(40)}}`;
    expect(decode(deep)).toMatchObject({ msg: 'x', attrs: { cut: 'attributes nested deeper than 32' } });
  });

  it.each([
    ['seconds', 1_795_224_320, 1_795_224_320_000],
    ['seconds with a fraction', 1_795_224_320.113, 1_795_224_320_113],
    ['milliseconds', 1_795_224_320_113, 1_795_224_320_113],
    ['microseconds', 1_795_224_320_113_456, 1_795_224_320_113],
    ['nanoseconds in digits', '1795224320113456789', 1_795_224_320_113],
    ['ISO 8601', '2026-11-21T03:22:01.123456+01:00', Date.UTC(2026, 10, 21, 2, 22, 1, 123)],
    ['an HTTP date', 'Sat, 21 Nov 2026 03:22:01 GMT', Date.UTC(2026, 10, 21, 3, 22, 1)],
    ["Python's asctime", '2026-11-21 03:22:01,123', new Date(2026, 10, 21, 3, 22, 1, 123).getTime()],
    ['a word with a number, which is no time', 'build 42', NOW],
    ['a negative number, which is no time', -5, NOW],
    ['a number past the end of time', 1e300, NOW],
  ])('gives its time in %s', (_form, time, ms) => {
    expect(decode({ time }).time).toBe(ms);
  });
});

describe('a posted object', () => {
  const post = (object: Record<string, unknown>) => decodeObject(object, context, 'strict');
  const refusal = (object: Record<string, unknown>) => {
    try {
      post(object);
    } catch (error) {
      if (error instanceof CodedError)
        return { code: error.code, field: error.field, message: error.message };
      throw error;
    }
    return undefined;
  };

  it.each([
    ['level', 'loud', 'level must be one of trace, debug, info, warn, error, fatal'],
    ['level', 3, 'level must be one of trace, debug, info, warn, error, fatal'],
    ['time', 'yesterday', 'time must be epoch milliseconds or ISO 8601'],
    ['msg', 5, 'msg must be a string'],
    ['source', '', 'source must be a string of 1 to 200 characters'],
    ['event', {}, 'event must be a string of 1 to 200 characters'],
    ['run', 'r'.repeat(201), 'run must be a string of 1 to 200 characters'],
    ['attrs', [], 'attrs must be an object'],
  ])('is refused for a wrong %s, by name, with what is allowed', (field, value, message) => {
    expect(refusal({ msg: 'x', [field]: value })).toEqual({ code: 'invalid_entry', field, message });
  });

  it('is refused for attributes that are too deep', () => {
    const attrs = JSON.parse(`{"a":${'['.repeat(40)}${']'.repeat(40)}}`);
    expect(refusal({ attrs })).toMatchObject({ code: 'invalid_entry', field: 'attrs' });
  });

  it('may use the names of other loggers, and keeps one of another type as an attribute', () => {
    expect(post({ message: 'hi', severity: 'ERROR', logger: 'app' })).toMatchObject({
      msg: 'hi',
      level: 'error',
      source: 'app',
    });
    expect(post({ msg: 'hi', name: 5 }).attrs).toEqual({ name: 5 });
  });
});
