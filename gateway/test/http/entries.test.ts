// GET /api/entries: pages of history in both directions, complete or with their gaps.
import { afterEach, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';

let gateway: TestGateway;
afterEach(() => gateway.close());

interface Answer {
  entries: { id: string; msg: string }[];
  gaps: { channel: string | null; reason: string; after: string; before: string }[];
  next: string;
  done: boolean;
}

const get = async (query: string): Promise<Answer> => {
  const response = await fetch(`${gateway.url}/api/entries?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
};

const msgs = ({ entries }: Answer) => entries.map(({ msg }) => msg);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

/** Publishes 1,200 entries, every third of them on `b`. */
const fill = async (): Promise<string[]> => {
  const ids: (string | null)[] = [];
  for (let i = 0; i < 1_200; i += 400)
    ids.push(
      ...(await gateway.broker.publish(
        range(i, i + 400).map((msg) => line(Number(msg) % 3 ? 'a' : 'b', msg)),
      )),
    );
  return ids as string[];
};

describe('pages', () => {
  it('without a beginning: the newest, oldest first, and next leads back to all of them', async () => {
    gateway = await openGateway();
    await fill();
    expect(msgs(await get('channels=a,b'))).toEqual(range(1_100, 1_200));
    const found: string[] = [];
    let page = await get('channels=a,b&limit=170');
    for (found.unshift(...msgs(page)); !page.done; found.unshift(...msgs(page)))
      page = await get(`channels=a,b&limit=170&before=${page.next}`);
    expect(found).toEqual(range(0, 1_200));
  });

  it('forwards: after, and next leads on to the end', async () => {
    gateway = await openGateway();
    const ids = await fill();
    const found: string[] = [];
    let page = await get(`channels=a,b&limit=170&after=${ids[99]}`);
    for (found.push(...msgs(page)); !page.done; found.push(...msgs(page)))
      page = await get(`channels=a,b&limit=170&after=${page.next}`);
    expect(found).toEqual(range(100, 1_200));
    expect(page.gaps).toEqual([]);
  });

  it('a filter loses nothing between two pages, in either direction', async () => {
    gateway = await openGateway();
    const ids = await fill();
    const expected = range(0, 1_200).filter((msg) => msg.includes('7'));
    const back: string[] = [];
    let page = await get('channels=a,b&q=7&limit=25&tail=25');
    for (back.unshift(...msgs(page)); !page.done; back.unshift(...msgs(page)))
      page = await get(`channels=a,b&q=7&limit=25&before=${page.next}`);
    // `q` searches several fields; here only the message holds digits.
    expect(back).toEqual(expected);
    const on: string[] = [];
    page = await get(`channels=a,b&q=7&limit=25&after=${ids[0]}`);
    for (on.push(...msgs(page)); !page.done; on.push(...msgs(page)))
      page = await get(`channels=a,b&q=7&limit=25&after=${page.next}`);
    expect(on).toEqual(expected);
  });

  it('after and before bound a page from both sides, both exclusive', async () => {
    gateway = await openGateway();
    const ids = await fill();
    expect(msgs(await get(`channels=a,b&after=${ids[10]}&before=${ids[14]}`))).toEqual(['11', '12', '13']);
    expect(await get(`channels=a,b&after=${ids[10]}&before=${ids[11]}`)).toMatchObject({
      entries: [],
      done: true,
    });
    expect(await get(`channels=a,b&after=${ids[14]}&before=${ids[10]}`)).toMatchObject({
      entries: [],
      done: true,
    });
    expect(await get('channels=a,b&before=0-0')).toMatchObject({ entries: [], done: true });
  });

  it('since and until take times, durations and ids; until includes its own', async () => {
    gateway = await openGateway();
    const ids = await fill();
    expect(msgs(await get(`channels=a,b&since=${ids[1]}&until=${ids[3]}`))).toEqual(['2', '3']);
    expect(msgs(await get('channels=a,b&since=1h&limit=3'))).toEqual(['0', '1', '2']);
    expect(await get('channels=a,b&since=1h&until=30m')).toMatchObject({ entries: [], done: true });
    expect((await get('channels=a,b&until=2001-01-01')).entries).toEqual([]);
  });

  it('an id wins over a time for the same bound', async () => {
    gateway = await openGateway();
    const ids = await fill();
    const page = await get(`channels=a,b&since=1h&after=${ids[10]}&until=1h&before=${ids[13]}`);
    expect(msgs(page)).toEqual(['11', '12']);
  });

  it('names the gap where retention has dropped entries', async () => {
    gateway = await openGateway({ RETENTION_ENTRIES: '100' });
    const ids = await fill();
    const page = await get(`channels=a&after=${ids[1]}&limit=10`);
    expect(page.gaps).toMatchObject([{ channel: 'a', after: ids[1], reason: 'trimmed' }]);
    expect(page.entries).toHaveLength(10);
  });

  it('says where a filtered search gave up, and continues from there if asked to', async () => {
    gateway = await openGateway({}, { history: { scanLimit: 1_000 } });
    const ids = await fill();
    const first = await get(`channels=a,b&q=1199&after=${ids[0]}`);
    expect(first).toMatchObject({ entries: [], done: false, gaps: [{ reason: 'scan_limit' }] });
    expect(msgs(await get(`channels=a,b&q=1199&after=${first.next}`))).toEqual(['1199']);
    const back = await get('channels=a,b&level=info&q=source-that-is-not-there');
    expect(back).toMatchObject({ entries: [], done: false, gaps: [{ reason: 'scan_limit' }] });
  });
});

describe.each(['embedded', 'Redis'])('pages of large entries, with the log %s', (log) => {
  let redis: RedisServer | undefined;
  afterEach(() => redis?.stop());

  it.each([
    ['forwards', 'JSON', ''],
    ['forwards', 'NDJSON', ''],
    ['backwards', 'JSON', ''],
    ['backwards', 'NDJSON', ''],
    ['forwards', 'JSON', '&level=info'],
    ['backwards', 'JSON', '&level=info'],
  ])(
    'end by bytes, and next leads to all entries, each once: %s as %s %s',
    async (direction, form, filter) => {
      redis = log === 'Redis' ? await startRedis() : undefined;
      gateway = await openGateway(redis && { REDIS_URL: redis.url });
      // Small entries among large ones, so that their mean size does not tell where a page ends.
      const sizes = range(0, 300).map((i) => (Number(i) % 7 < 3 ? 20 : 500 * ((Number(i) * 37) % 130)));
      for (let i = 0; i < sizes.length; i += 15)
        await gateway.broker.publish(
          sizes.slice(i, i + 15).map((size, j) => line(`big:${(i + j) % 3}`, `${i + j}:${'x'.repeat(size)}`)),
        );
      const found: string[] = [];
      let bound = direction === 'forwards' ? '&since=1h' : '';
      let pages = 0;
      for (let done = false; !done; pages++) {
        const headers = form === 'NDJSON' ? { accept: 'application/x-ndjson' } : {};
        const url = `${gateway.url}/api/entries?channels=big:*&limit=10000${filter}${bound}`;
        const response = await fetch(url, { headers });
        const text = await response.text();
        expect(text.length).toBeLessThan(5_000_000);
        const page: Answer =
          form === 'JSON'
            ? JSON.parse(text)
            : {
                entries: text.split('\n').flatMap((each) => (each === '' ? [] : JSON.parse(each))),
                next: `${response.headers.get('next')}`,
                done: response.headers.get('done') === 'true',
              };
        const numbers = page.entries.map(({ msg }) => msg.split(':', 1)[0] as string);
        if (direction === 'forwards') found.push(...numbers);
        else found.unshift(...numbers);
        bound = `&${direction === 'forwards' ? 'after' : 'before'}=${page.next}`;
        ({ done } = page);
      }
      expect(found).toEqual(range(0, 300));
      expect(pages).toBeGreaterThan(1);
    },
  );
});

describe('forms', () => {
  it('NDJSON if it is asked for: one stored entry a line, with next, done and gaps as headers', async () => {
    gateway = await openGateway();
    await fill();
    const headers = { accept: 'application/x-ndjson' };
    const response = await fetch(`${gateway.url}/api/entries?channels=a,b&limit=3`, { headers });
    expect(response.headers.get('content-type')).toMatch('application/x-ndjson');
    const lines = (await response.text()).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((text) => JSON.parse(text).msg)).toEqual(range(1_197, 1_200));
    expect(response.headers.get('next')).toBe(JSON.parse(lines[0] ?? '').id);
    expect(response.headers.get('done')).toBe('false');
    expect(response.headers.get('gaps')).toBe('0');
  });

  it('a channel without entries gives an empty page, not an error', async () => {
    gateway = await openGateway();
    expect(await get('channels=nobody')).toMatchObject({ entries: [], gaps: [], done: true });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=ten', 'limit'],
    ['after=abc', 'after'],
    ['before=7', 'before'],
    ['until=never', 'until'],
    ['level=loud', 'level'],
    ['lastEventId=1-1', 'lastEventId'],
    ['after=1-1&after=2-2', 'after'],
  ])('%s is refused by name', async (query, field) => {
    gateway = await openGateway();
    const response = await fetch(`${gateway.url}/api/entries?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_query', field });
  });
});
