// Any payload becomes an entry: what loggers write keeps its fields, and nothing makes the decoder throw.
import fc from 'fast-check';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import type { DecodeContext } from '../../src/decode/context.ts';
import { decodeObject, decodePayload, draftPayload } from '../../src/decode/decode.ts';
import { DEFAULT_ENTRY_BYTES, draft, LEVELS } from '../../src/entry.ts';
import { CodedError } from '../../src/errors.ts';
import { LOG_LINES } from '../log-lines.ts';

const NOW = 1_795_224_320_113;
const context: DecodeContext = { channel: 'logs', now: NOW, source: 'unknown' };
const decode = (payload: Uint8Array | string | object) =>
  decodePayload(
    typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload),
    context,
  );

/** The entry as a reader of the log sees it. */
const stored = (payload: Uint8Array | string) => JSON.parse(draft(decode(payload)).body);

/** Every name that a program of the corpus uses, at any depth, so that a format that is added there is attacked here. */
const NAMES = [
  ...new Set(
    LOG_LINES.flatMap(({ line }) => {
      const names: string[] = [];
      if (line.startsWith('{'))
        JSON.parse(line, (name, value) => {
          names.push(name);
          return value;
        });
      return names;
    }),
  ),
];

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
      'attrs',
      ...NAMES,
    ),
    fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.constantFrom('', ' ', '\n', '\u2028', 'generation.delta', 'run.started', '{"log":"\\n"}'),
      fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant(' '))),
    ),
  );
  const corpus = fc
    .tuple(fc.constantFrom(...LOG_LINES), fc.nat(200), fc.nat(5), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([{ line }, at, cut, junk]) => line.slice(0, at) + junk + line.slice(at + cut));
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.string({ unit: 'binary', maxLength: 2000 }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    jsonish,
    known.map((object) => JSON.stringify(object)),
    known.map((object) => Buffer.from(JSON.stringify(object))),
    corpus,
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

  it('is never shown blank, unless it was; only the text of a delta may be', () => {
    const written = known.map((object) => {
      const { time: _time, channel: _channel, level: _level, ...rest } = object;
      return JSON.stringify({ time: NOW, channel: 'logs', source: 's', level: 'info', msg: ' ', ...rest });
    });
    fc.assert(
      fc.property(fc.oneof(payload, written), (anything) => {
        const bytes = Buffer.from(anything);
        fc.pre(new TextDecoder().decode(bytes).trim() !== '');
        const entry = JSON.parse(draftPayload(bytes, context, 65_536).body);
        if (entry.event !== 'generation.delta') expect(entry.msg.trim()).not.toBe('');
      }),
      { numRuns: 3_000 },
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

  it('of a message that is no JSON no more is decoded than an entry may hold', () => {
    const context = { channel: 'logs', now: 1, source: 'redis' };
    const read = (text: string) =>
      JSON.parse(draftPayload(Buffer.from(text), context, DEFAULT_ENTRY_BYTES).body);
    const pairs = 'a=b '.repeat(20_000);
    expect(read(`${pairs}level=error`)).toMatchObject({ level: 'info' });
    expect(read(`level=error ${pairs}`)).toMatchObject({ level: 'error' });
    const { msg } = read(`${'\u0001'.repeat(500_000)}\n`);
    expect(msg.replaceAll('\u0001', '')).toBe('… [cut: 500000 bytes]');
    expect(msg.length).toBeGreaterThan(10_000);
    expect(read(`{"x":"${'y'.repeat(100_000)}","level":"error"}`)).toMatchObject({ level: 'error' });
  });

  it('costs no more than its length, however it is made', () => {
    // A careless regular expression takes minutes for each of these, or a careless recursion overflows the stack.
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
      'level=info '.repeat(n / 11),
      `level=info ${'a="b\\" '.repeat(n / 7)}`,
      `${'{a'.repeat(n / 2)}`,
      JSON.stringify({ '@mt': '{a'.repeat(n / 2) }),
      JSON.stringify({ '@mt': `{${'a'.repeat(n)}}` }),
      `${'"GET / HTTP/'.repeat(n / 12)}`,
      `GET ${'/'.repeat(n)} 500 1 ms`,
      `${': request: GET '.repeat(n / 15)}500`,
      `[GIN] ${'2026/11/29 - '.repeat(n / 13)}`,
      `<11>${'Nov 29 '.repeat(n / 7)}`,
      `(${'('.repeat(n)} INFO 11-29`,
      '\u001b['.repeat(n / 2),
      JSON.stringify({ MESSAGE: Array(n / 10).fill(27) }),
      `{"channel":${'['.repeat(n)}${']'.repeat(n)}}`,
      `{"record":${'{"level":'.repeat(n / 20)}1${'}'.repeat(n / 20)}}`,
      ...LOG_LINES.map(({ line }) => line.repeat(Math.ceil(65_536 / line.length))),
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
      msg: '{"entity_type":"run","entity_id":"r7","data":{"steps":3}}',
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

  it('keeps an id of its own, which is no place in a log', () => {
    expect(decode({ id: 'order-7', prev: 'order-6', msg: 'paid' }).attrs).toEqual({
      id: 'order-7',
      prev: 'order-6',
    });
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
      msg: '5',
      attrs: { level: 'loud', time: 'tomorrow', source: '', run: ['r'] },
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
    ['an access log', '29/Nov/2026:05:00:04 +0100', Date.UTC(2026, 10, 29, 4, 0, 4)],
    ['a duration in seconds, which is no time', 0.25, NOW],
    ['a clock that was never set', 86_400, NOW],
    ["Go's zero time", '0001-01-01T00:00:00Z', NOW],
    [".NET's last time", '9999-12-31T23:59:59Z', NOW],
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

  it('keeps an object under a name of its own as an attribute, since other loggers write such', () => {
    const place = { file: 'main.go', line: 12 };
    expect(post({ msg: 'x', source: place, event: { dataset: 'app' } })).toMatchObject({
      msg: 'x',
      source: 'unknown',
      attrs: { source: place, event: { dataset: 'app' } },
    });
    expect(post({ msg: { nested: true } })).toMatchObject({
      msg: '{"msg":{"nested":true}}',
      attrs: { msg: { nested: true } },
    });
    expect(post({ msg: 'x', time: 0.25 })).toMatchObject({ time: NOW, attrs: { time: 0.25 } });
  });

  it.each([{}, { msg: '' }, { level: 'warn' }, { msg: '', attrs: {} }])(
    'is refused without any content: %j',
    (object) => {
      expect(refusal(object)).toMatchObject({ code: 'invalid_entry', field: 'msg' });
    },
  );

  it('may use the names of other loggers, and keeps one of another type as an attribute', () => {
    expect(post({ message: 'hi', severity: 'ERROR', logger: 'app' })).toMatchObject({
      msg: 'hi',
      level: 'error',
      source: 'app',
    });
    expect(post({ msg: 'hi', name: 5 }).attrs).toEqual({ name: 5 });
  });
});

describe('a line of the corpus, distorted', () => {
  const SIZE = 65_536;
  const fits = (line: string) => {
    const { msg } = decodePayload(line, context);
    expect(msg.trim()).not.toBe('');
  };
  /** Every key of the object and of the objects in it, as a path. */
  const paths = (value: unknown, path: string[] = []): string[][] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...paths(inner, [...path, key])]);
  const placed = (value: unknown, [key, ...rest]: readonly string[], raw: string): string => {
    const fields = Object.entries(value as Record<string, unknown>).map(([name, inner]) => {
      const text = name !== key ? JSON.stringify(inner) : rest.length === 0 ? raw : placed(inner, rest, raw);
      return `${JSON.stringify(name)}:${text}`;
    });
    return Array.isArray(value)
      ? `[${fields.map((field) => field.slice(field.indexOf(':') + 1))}]`
      : `{${fields}}`;
  };

  it('may repeat any of its beginnings, as a line that carries a line that carries a line', () => {
    for (const { line } of [{ line: '2026-11-29T05:00:05Z stderr F ' }, ...LOG_LINES])
      for (let end = 1; end <= Math.min(line.length, 40); end++) {
        const beginning = line.slice(0, end);
        if (beginning.trim() !== '') fits(beginning.repeat(Math.ceil(SIZE / end)));
      }
  });

  it('may hold a value of any depth at any of its keys', () => {
    const objects = LOG_LINES.flatMap(({ line }) =>
      line.startsWith('{') ? [JSON.parse(line) as unknown] : [],
    );
    const deep = ['['.repeat(30_000) + ']'.repeat(30_000), `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`];
    expect(objects.length).toBeGreaterThan(20);
    for (const object of objects)
      for (const path of paths(object)) for (const value of deep) fits(placed(object, path, value));
  });
});
