// POST /api/publish: every form that a client may send is stored as a whole or not at all, and hostile input does no harm.
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../test-support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGateway({ ENTRY_BYTES: '4096', MAX_CHANNELS: '400' });
});
afterAll(() => gateway.close());

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };
const TEXT = { 'content-type': 'text/plain' };
const NDJSON = { 'content-type': 'application/x-ndjson' };

let serial = 0;
/** A channel that no other test uses. */
const fresh = () => `c${serial++}`;

const post = async (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = FORM,
  query = '',
) => {
  const response = await fetch(`${gateway.url}/api/publish${query}`, { method: 'POST', body, headers });
  const answer = (await response.json()) as { ids: string[]; code?: string };
  return { status: response.status, headers: response.headers, answer };
};

const kept = async (channel: string) => {
  const { items } = await gateway.broker.readPage({ channels: [channel], after: 0, limit: 1_000 });
  return items.flatMap(({ record }) => (record ? [record.entry] : []));
};

const msgs = async (channel: string) => (await kept(channel)).map(({ msg }) => msg);

describe('what may be sent', () => {
  it.each([
    ['with the content type of curl -d', FORM],
    ['as JSON', JSON_TYPE],
    ['as text', TEXT],
    ['under a type nobody knows', { 'content-type': 'application/x-unheard-of; charset=utf-8' }],
  ])('one entry %s', async (_, headers) => {
    const channel = fresh();
    const { status, answer } = await post(JSON.stringify({ channel, msg: 'hi' }), headers);
    expect({ status, answer }).toEqual({
      status: 200,
      answer: { ids: [expect.stringMatching(/^\d+-\d+$/)] },
    });
    expect(await kept(channel)).toMatchObject([
      { id: answer.ids[0], msg: 'hi', level: 'info', source: 'http' },
    ]);
  });

  it('one entry without any content type', async () => {
    const channel = fresh();
    const { status } = await post(new TextEncoder().encode(JSON.stringify({ channel, msg: 'hi' })), {});
    expect(status).toBe(200);
    expect(await msgs(channel)).toEqual(['hi']);
  });

  it('an array, taken in order', async () => {
    const channel = fresh();
    const { answer } = await post(
      JSON.stringify(['a', 'b', 'c'].map((msg) => ({ channel, msg }))),
      JSON_TYPE,
    );
    expect(answer.ids).toHaveLength(3);
    expect(await msgs(channel)).toEqual(['a', 'b', 'c']);
  });

  it('an array that fetch calls text, and text that looks like an array', async () => {
    const channel = fresh();
    expect((await post(JSON.stringify([{ channel, msg: 'a' }]), TEXT)).status).toBe(200);
    expect((await post('[b] is a line', TEXT, `?channel=${channel}`)).status).toBe(200);
    expect(await msgs(channel)).toEqual(['a', '[b] is a line']);
  });

  it('NDJSON, with blank lines and CRLF, under its own or any type', async () => {
    for (const headers of [NDJSON, FORM]) {
      const channel = fresh();
      const body = `{"channel":"${channel}","msg":"a"}\r\n\r\n{"channel":"${channel}","msg":"b"}\n`;
      expect((await post(body, headers)).status).toBe(200);
      expect(await msgs(channel)).toEqual(['a', 'b']);
    }
  });

  it('plain lines, to the channel of the query, each with the level it names', async () => {
    const channel = fresh();
    const { status } = await post(
      'starting\nERROR: no memory\r\n\n',
      { 'content-type': 'Text/Plain; charset=utf-8' },
      `?channel=${channel}`,
    );
    expect(status).toBe(200);
    expect(await kept(channel)).toMatchObject([
      { msg: 'starting', level: 'info' },
      { msg: 'ERROR: no memory', level: 'error' },
    ]);
  });

  it('text is a line an entry, whatever a line begins with', async () => {
    const channel = fresh();
    const body =
      '{"msg":"an object","level":"warn","attrs":{"gpu":7}}\n{not JSON\n  {"a":\n[x]\nplain\n"quoted"\n7';
    const { status, answer } = await post(body, TEXT, `?channel=${channel}`);
    expect(status).toBe(200);
    expect(answer.ids).toHaveLength(7);
    const entries = await kept(channel);
    expect(entries.map(({ msg }) => msg)).toEqual([
      'an object',
      '{not JSON',
      '  {"a":',
      '[x]',
      'plain',
      '"quoted"',
      '7',
    ]);
    expect(entries[0]).toMatchObject({ level: 'warn', attrs: { gpu: 7 }, source: 'http' });
  });

  it('pino lines keep their fields', async () => {
    const channel = fresh();
    const lines = [
      { level: 40, time: 1_795_224_320_113, pid: 1, hostname: 'h', name: 'api', msg: 'slow' },
      { level: 30, time: 1_795_224_320_114, pid: 1, hostname: 'h', name: 'api', msg: 'fine', ms: 3 },
    ];
    for (const headers of [NDJSON, TEXT])
      expect(
        (await post(lines.map((l) => JSON.stringify(l)).join('\n'), headers, `?channel=${channel}`)).status,
      ).toBe(200);
    const entries = await kept(channel);
    expect(entries).toHaveLength(4);
    expect(entries[0]).toMatchObject({ level: 'warn', time: 1_795_224_320_113, source: 'api', msg: 'slow' });
    expect(entries[1]?.attrs).toMatchObject({ ms: 3, pid: 1 });
  });

  it('a byte order mark is no part of the body', async () => {
    const channel = fresh();
    expect((await post(`\uFEFF{"channel":"${channel}","msg":"hi"}`)).status).toBe(200);
  });

  it('invalid UTF-8 becomes replacement characters', async () => {
    const channel = fresh();
    const body = Buffer.concat([
      Buffer.from(`{"channel":"${channel}","msg":"a`),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('b"}'),
    ]);
    expect((await post(new Uint8Array(body))).status).toBe(200);
    expect(await msgs(channel)).toEqual(['a\ufffd\ufffdb']);
  });
});

describe('whole or not at all', () => {
  it.each([
    ['line 2', NDJSON, (good: string) => `${good}\n{"msg":\n${good}`, 400, 'invalid_json', 'line 2'],
    ['line 3', FORM, (good: string) => `${good}\n\n{"level":"loud"\n${good}`, 400, 'invalid_json', 'line 3'],
    [
      'a wrong type',
      NDJSON,
      (good: string) => `${good}\n${good.replace('"hi"', '7')}`,
      422,
      'invalid_entry',
      'line 2.msg',
    ],
    [
      'a wrong level',
      JSON_TYPE,
      (good: string) => `[${good},${good.replace('}', ',"level":"loud"}')}]`,
      422,
      'invalid_entry',
      '[1].level',
    ],
    ['a number', JSON_TYPE, (good: string) => `[${good},7]`, 422, 'invalid_entry', '[1]'],
    ['no content', JSON_TYPE, (good: string) => `[${good},{"channel":"x"}]`, 422, 'invalid_entry', '[1].msg'],
    [
      'a reserved channel',
      JSON_TYPE,
      (good: string) => `[${good},{"channel":"runs:1","msg":"x"}]`,
      422,
      'channel_reserved',
      '[1].channel',
    ],
    [
      'a control character',
      JSON_TYPE,
      (good: string) => `[${good},{"channel":"a\\u0000b","msg":"x"}]`,
      422,
      'invalid_entry',
      '[1].channel',
    ],
    [
      'a name of 10 kB',
      JSON_TYPE,
      (good: string) => `[${good},{"channel":"${'x'.repeat(10_000)}","msg":"x"}]`,
      422,
      'invalid_entry',
      '[1].channel',
    ],
    ['no channel', JSON_TYPE, (good: string) => `[${good},{"msg":"x"}]`, 422, 'invalid_entry', '[1].channel'],
  ])('%s in the middle is named, and nothing is taken', async (_, headers, body, status, code, field) => {
    const channel = fresh();
    const refused = await post(body(JSON.stringify({ channel, msg: 'hi' })), headers);
    expect(refused).toMatchObject({ status, answer: { status, code, field } });
    expect(refused.headers.get('content-type')).toMatch('application/problem+json');
    expect(await kept(channel)).toEqual([]);
  });

  it.each([
    ['nothing', '', 400, 'invalid_body'],
    ['blanks', ' \n\n', 400, 'invalid_body'],
    ['an empty array', '[]', 400, 'invalid_body'],
    ['no JSON', 'hello', 400, 'invalid_json'],
    ['a string', '"hello"', 422, 'invalid_entry'],
    ['null', 'null', 422, 'invalid_entry'],
    ['junk', '\0\u0001\u0002', 400, 'invalid_json'],
    ['brackets nested 60,000 deep', '['.repeat(60_000), 400, 'invalid_json'],
    ['brackets nested 400,000 deep', '['.repeat(400_000), 400, 'invalid_json'],
    ['an array nested 200,000 deep', '['.repeat(200_000) + ']'.repeat(200_000), 422, 'invalid_entry'],
  ])('%s is refused', async (_, body, status, code) => {
    expect(await post(body, JSON_TYPE)).toMatchObject({ status, answer: { code } });
  });

  it('attributes nested too deep are refused by name', async () => {
    const attrs = `${'{"a":'.repeat(8_000)}1${'}'.repeat(8_000)}`;
    const refused = await post(`{"channel":"${fresh()}","msg":"x","attrs":${attrs}}`);
    expect(refused).toMatchObject({ status: 422, answer: { code: 'invalid_entry', field: 'attrs' } });
  });

  it.each([20_000, 100_000])('one object of %i names is refused before it is parsed', async (count) => {
    const names = Array.from({ length: count }, (_, i) => `"${i.toString(36)}":1`).join();
    const refused = await post(`{"channel":"${fresh()}","msg":"x","attrs":{${names}}}`, JSON_TYPE);
    expect(refused).toMatchObject({ status: 422, answer: { code: 'invalid_entry' } });
    expect(refused.answer).toMatchObject({ detail: 'the body holds more than 10000 values' });
  });

  it('a megabyte of line ends is refused as fast as anything else', async () => {
    expect(await post(`x${'\n'.repeat(1_000_000)}y`)).toMatchObject({
      status: 400,
      answer: { code: 'invalid_json' },
    });
  });

  it('a stamp is for one batch: 501 entries with one are refused', async () => {
    const channel = fresh();
    const entry = JSON.stringify({ channel, msg: 'x' });
    const stamp = { 'publisher-id': 'a'.repeat(32), 'publisher-seq': '1' };
    const many = await post(`[${Array(501).fill(entry).join()}]`, { ...JSON_TYPE, ...stamp });
    expect(many).toMatchObject({ status: 413, answer: { code: 'batch_too_large' } });
    expect(await kept(channel)).toEqual([]);
    expect((await post(`[${Array(500).fill(entry).join()}]`)).status).toBe(200);
  });

  it.each([
    ['br', brotliCompressSync],
    ['identity, gzip', gzipSync],
  ])('a body in the encoding %s is refused, with what is accepted', async (encoding, compress) => {
    const channel = fresh();
    const body = new Uint8Array(compress(Buffer.from(JSON.stringify({ channel, msg: 'x' }))));
    const refused = await post(body, { ...JSON_TYPE, 'content-encoding': encoding });
    expect(refused).toMatchObject({
      status: 415,
      answer: { code: 'unsupported_encoding', field: 'Content-Encoding' },
    });
    expect(refused.headers.get('accept-encoding')).toBe('gzip, deflate, zstd, identity');
    expect(await kept(channel)).toEqual([]);
  });

  it('an encoding that changes nothing is none', async () => {
    const body = JSON.stringify({ channel: fresh(), msg: 'x' });
    expect((await post(body, { ...JSON_TYPE, 'content-encoding': 'Identity' })).status).toBe(200);
  });

  it.each([
    'multipart/form-data; boundary=x',
    'Multipart/Mixed; boundary=x',
    'application/xml',
    'text/xml; charset=utf-8',
    'application/atom+xml',
  ])('a body of type %s is refused, with what is accepted', async (type) => {
    const refused = await post(JSON.stringify({ channel: fresh(), msg: 'x' }), { 'content-type': type });
    expect(refused).toMatchObject({
      status: 415,
      answer: { code: 'unsupported_media_type', field: 'Content-Type' },
    });
    expect(refused.headers.get('accept-post')).toBe('application/json, application/x-ndjson, text/plain');
  });

  it('plain text without a channel, and unknown parameters, are refused by name', async () => {
    expect(await post('hello', TEXT)).toMatchObject({ status: 400, answer: { field: 'channel' } });
    expect(await post('hello', TEXT, '?chanel=a')).toMatchObject({
      status: 400,
      answer: { field: 'chanel' },
    });
    expect(await post('hello', TEXT, '?channel=runs:1')).toMatchObject({
      status: 422,
      answer: { code: 'channel_reserved' },
    });
    expect(await post('hello', TEXT, `?channel=${'x'.repeat(300)}`)).toMatchObject({
      status: 422,
      answer: { field: 'channel' },
    });
  });
});

describe('hostile content', () => {
  it('is one inert entry each, on the stream as in the log', async () => {
    const channel = fresh();
    const viewer = await gateway.view(`channels=${channel}`);
    await viewer.saw('live');
    const texts = [
      'x\n\nevent: forged\ndata: {}',
      '</script><img src=x onerror=alert(1)>',
      '\u001b[31m\u0007',
      '\u2028\u2029\r',
    ];
    for (const msg of texts) expect((await post(JSON.stringify({ channel, msg }))).status).toBe(200);
    expect((await post(`{"channel":"${channel}","msg":"half \\ud800"}`)).status).toBe(200);
    await viewer.got(texts.length + 1);
    expect(viewer.msgs).toEqual([...texts, 'half \ufffd']);
    expect(viewer.events.map(({ event }) => event)).toEqual(['hello', 'live', ...Array(5).fill('')]);
    viewer.vanish();
  });

  it('a text over the limit is cut, with a mark that says how long it was', async () => {
    const channel = fresh();
    for (const msg of ['x'.repeat(1_000_000), '"'.repeat(500_000)]) {
      expect((await post(JSON.stringify({ channel, msg }))).status).toBe(200);
      const entry = (await kept(channel)).at(-1);
      expect(entry?.msg).toMatch(new RegExp(`^${msg[0]}+… \\[cut: ${msg.length} bytes\\]$`));
      expect(JSON.stringify(entry).length).toBeLessThan(4_300);
    }
  });

  it('keys that mean something to JavaScript are attributes like others', async () => {
    const channel = fresh();
    const { status } = await post(
      `{"channel":"${channel}","msg":"x","__proto__":{"polluted":1},"constructor":2}`,
    );
    expect(status).toBe(200);
    const [stored] = (await gateway.broker.readPage({ channels: [channel], after: 0, limit: 1 })).items;
    expect(stored?.record?.data.toString()).toContain('"__proto__":{"polluted":1}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("id, log and prev are the log's to give", async () => {
    const channel = fresh();
    const { answer } = await post(`{"channel":"${channel}","msg":"x","id":"1-1","log":"forged00","prev":5}`);
    expect(await kept(channel)).toMatchObject([{ id: answer.ids[0], prev: 0 }]);
  });
});

describe('numbers of writers', () => {
  const writer = 'a'.repeat(32);

  it('make a repeat harmless', async () => {
    const channel = fresh();
    const body = JSON.stringify({ channel, msg: 'once' });
    const headers = { 'publisher-id': writer, 'publisher-seq': '1' };
    expect((await post(body, headers)).answer.ids[0]).toMatch(/-/);
    expect(await post(body, headers)).toMatchObject({ status: 200, answer: { ids: [null] } });
    expect(await msgs(channel)).toEqual(['once']);
    expect((await post(body, { ...headers, 'publisher-seq': '2' })).answer.ids[0]).toMatch(/-/);
  });

  it.each([
    [{ 'publisher-id': 'short', 'publisher-seq': '1' }, 'Publisher-Id'],
    [{ 'publisher-id': `${writer}, ${writer}`, 'publisher-seq': '1' }, 'Publisher-Id'],
    [{ 'publisher-seq': '1' }, 'Publisher-Id'],
    [{ 'publisher-id': writer }, 'Publisher-Seq'],
    [{ 'publisher-id': writer, 'publisher-seq': '0' }, 'Publisher-Seq'],
    [{ 'publisher-id': writer, 'publisher-seq': '-1' }, 'Publisher-Seq'],
    [{ 'publisher-id': writer, 'publisher-seq': '9'.repeat(16) }, 'Publisher-Seq'],
  ])('%o is refused by name', async (headers, field) => {
    const channel = fresh();
    const refused = await post(JSON.stringify({ channel, msg: 'x' }), headers as Record<string, string>);
    expect(refused).toMatchObject({ status: 400, answer: { code: 'invalid_header', field } });
    expect(await kept(channel)).toEqual([]);
  });
});

describe('a log that is full', () => {
  it('answers too_many_channels for new channels only', async () => {
    const small = await openGateway({ MAX_CHANNELS: '2' });
    await small.broker.publish([line('a', '1'), line('logs:gateway', '2')]);
    const send = async (channel: string) => {
      const body = JSON.stringify({ channel, msg: 'x' });
      const response = await fetch(`${small.url}/api/publish`, { method: 'POST', body });
      return { status: response.status, answer: await response.json() };
    };
    expect(await send('new')).toMatchObject({ status: 422, answer: { code: 'too_many_channels' } });
    expect(await send('a')).toMatchObject({ status: 200 });
    await small.close();
  });
});
