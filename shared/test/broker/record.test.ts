// The head of a stored entry: read back exactly, and not read from anything that only resembles one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  copyId,
  hasToken,
  ID_LENGTH,
  isWellFormed,
  LogRecord,
  parseHead,
  TOKEN_LENGTH,
  writeHead,
} from '../../src/broker/record.ts';
import { draft, type EntryFields, LEVELS } from '../../src/entry.ts';

// Positions of 2001 to 2255, which have the sixteen digits that the head's fixed offsets count on.
const position = fc.integer({ min: 1_000_000_000_000_000, max: Number.MAX_SAFE_INTEGER });
const token = fc.stringMatching(new RegExp(`^[a-z0-9]{${TOKEN_LENGTH}}$`));
const previous = fc.oneof(fc.constant(0), fc.maxSafeNat());
const channel = fc.stringMatching(/^[A-Za-z0-9_.:/-]{1,40}$/);
const fields: fc.Arbitrary<EntryFields> = fc.record({
  time: fc.integer({ min: 0, max: 8_000_000_000_000 }),
  channel,
  source: fc.string({ unit: 'binary', maxLength: 20 }),
  level: fc.constantFrom(...LEVELS),
  msg: fc.string({ unit: 'binary' }),
  attrs: fc.dictionary(fc.string(), fc.jsonValue()),
});

const N = 1_795_224_320_113_456;
const HEAD = writeHead(N, 'k3f9a2b1', N - 55);
const SAID: EntryFields = { time: 5, channel: 'logs', source: 's', level: 'warn', msg: 'm' };

/** What the log stores for a writer's fields. */
const store = (said: EntryFields, head = HEAD) => Buffer.from(head + draft(said).body.slice(1));

describe('the head', () => {
  it('comes back as it was written, whatever the body', () => {
    fc.assert(
      fc.property(position, token, previous, fields, (n, log, prev, said) => {
        const stored = store(said, writeHead(n, log, prev));
        expect(parseHead(stored)).toEqual({ n, prev });
        const id = Buffer.alloc(ID_LENGTH);
        copyId(stored, id, 0);
        expect(id.toString()).toBe(new LogRecord(said.channel, stored, { n, prev }).id);
      }),
    );
  });

  it('is of the log whose token it bears, and of no other', () => {
    fc.assert(
      fc.property(token, token, (log, other) => {
        const stored = store(SAID, writeHead(N, log, 0));
        expect(hasToken(log, stored)).toBe(true);
        expect(hasToken(other, stored)).toBe(other === log);
      }),
    );
    for (const part of ['', 'k3f9a2b', 'k3f9a2b1"']) expect(hasToken(part, store(SAID))).toBe(false);
  });

  it('and the body make one JSON object with the keys of both', () => {
    expect(JSON.parse(store(SAID).toString())).toEqual({
      id: '1795224320113-1795224320113456',
      log: 'k3f9a2b1',
      prev: N - 55,
      ...SAID,
    });
  });

  it('is what was written, or nothing: any change of its bytes is refused or is another head', () => {
    const stored = store(SAID);
    fc.assert(
      fc.property(fc.nat(HEAD.length - 1), fc.nat(255), (at, byte) => {
        const forged = Buffer.from(stored);
        forged[at] = byte;
        const head = parseHead(forged);
        if (head === null) return;
        const written = writeHead(head.n, forged.toString('latin1', 46, 54), head.prev);
        expect(forged.subarray(0, written.length).toString('latin1')).toBe(written);
      }),
      { numRuns: 5000 },
    );
  });

  it('is not read from a part of itself', () => {
    for (let end = 0; end < HEAD.length; end++) expect(parseHead(Buffer.from(HEAD.slice(0, end)))).toBeNull();
    expect(parseHead(Buffer.from(HEAD))).not.toBeNull();
  });

  it('is not read from anything else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fields.map((said) => Buffer.from(draft(said).body)),
        ),
        (bytes) => {
          expect(parseHead(Buffer.from(bytes))).toBeNull();
        },
      ),
    );
  });

  it.each([
    ['a time that is not its number’s', '{"id":"1795224320114-1795224320113456","log":"k3f9a2b1","prev":1,'],
    ['a line end in its time', '{"id":"179522432011\n-1795224320113456","log":"k3f9a2b1","prev":1,'],
    ['a number beyond 2^53', '{"id":"9999999999999-9999999999999999","log":"k3f9a2b1","prev":1,'],
    ['a quote in its token', '{"id":"1795224320113-1795224320113456","log":"k3f"a2b1","prev":1,'],
    [
      'a previous number that is no JSON',
      '{"id":"1795224320113-1795224320113456","log":"k3f9a2b1","prev":01,',
    ],
    [
      'a previous number beyond 2^53',
      '{"id":"1795224320113-1795224320113456","log":"k3f9a2b1","prev":9999999999999999,',
    ],
    ['no previous number', '{"id":"1795224320113-1795224320113456","log":"k3f9a2b1","prev":,'],
    ['another space', '{"id": "1795224320113-1795224320113456","log":"k3f9a2b1","prev":1,'],
  ])('is refused with %s', (_fault, head) => {
    expect(parseHead(Buffer.from(`${head}"time":1}`))).toBeNull();
  });
});

describe('stored bytes', () => {
  it('may be passed on as they are when draft wrote them for that channel', () => {
    fc.assert(
      fc.property(fields, channel, (said, other) => {
        expect(isWellFormed(store(said), said.channel)).toBe(true);
        expect(isWellFormed(store(said), other)).toBe(other === said.channel);
      }),
    );
  });

  it.each(['\n', '\r', '\n\nevent: forged\ndata: '])('may not when they hold %j', (text) => {
    expect(isWellFormed(Buffer.from(`${store(SAID)}${text}`), 'logs')).toBe(false);
  });
});

describe('a record', () => {
  it('gives the entry with what the log added', () => {
    const record = new LogRecord('logs', store(SAID), parseHead(store(SAID)));
    expect(record.id).toBe('1795224320113-1795224320113456');
    expect(record.entry).toEqual({ id: record.id, log: 'k3f9a2b1', prev: N - 55, ...SAID });
    expect(record.entry).toBe(record.entry);
  });

  it('keeps no parsed entry: a log in memory would take several times what it may', () => {
    const [one, other] = [1, 2].map(() => new LogRecord('logs', store(SAID), parseHead(store(SAID))));
    const first = one?.entry;
    expect(other?.entry).toEqual(first);
    expect(one?.entry).not.toBe(first);
    expect(one?.entry).toEqual(first);
  });

  it('has no id where the message was never stored', () => {
    const record = new LogRecord('logs', Buffer.from(draft(SAID).body), null);
    expect({ id: record.id, n: record.n, prev: record.prev }).toEqual({ id: null, n: 0, prev: 0 });
    expect(record.entry).toEqual(SAID);
  });

  it('has a well-formed entry even where a good head stands before a forged body', () => {
    const sound = '"time":5,"channel":"logs"';
    const good = ',"source":"s","level":"info","msg":"m"';
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    for (const rest of [
      ...['', '}', '"', '}trailing', ',"msg":5}', ',"level":"loud","msg":"m","source":"s"}'],
      ...[
        '"event":5',
        '"run":null',
        '"attrs":"text"',
        '"attrs":null',
        `"attrs":{"a":${deep}}`,
        `"other":${deep}`,
        '"time":1e999',
        '"id":5,"prev":"x","channel":{}',
      ].map((forged) => `${good},${forged}}`),
    ]) {
      const data = Buffer.from(HEAD + sound + rest);
      expect(isWellFormed(data, 'logs')).toBe(true);
      const { entry } = new LogRecord('logs', data, parseHead(data));
      expect(entry).toMatchObject({ id: '1795224320113-1795224320113456', prev: N - 55, channel: 'logs' });
      expect(Number.isFinite(entry.time)).toBe(true);
      expect(LEVELS).toContain(entry.level);
      expect(() => JSON.stringify(entry)).not.toThrow();
      for (const label of [entry.event, entry.run]) expect(['string', 'undefined']).toContain(typeof label);
      expect([undefined, '[object Object]']).toContain(entry.attrs && `${entry.attrs}`);
      expect([typeof entry.time, typeof entry.source, typeof entry.msg]).toEqual([
        'number',
        'string',
        'string',
      ]);
    }
  });
});
