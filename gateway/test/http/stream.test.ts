// GET /stream over real sockets: frames, ids, positions and selections.
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { line } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { publish, range, start } from './stream-gateway.ts';

const numberOf = (id: unknown) => Number(`${id}`.split('-')[1]);

describe('frames', () => {
  it('greets, says when replay is done, and then shows entries as unnamed events with their ids', async () => {
    const gateway = await start();
    const viewer = await gateway.view('channels=a');
    await viewer.saw('live');
    await publish(gateway, 'a', 'one');
    const [entry] = await viewer.got(1);
    expect(viewer.events.map(({ event }) => event)).toEqual(['hello', 'live', '']);
    expect(viewer.events[0]?.data).toMatchObject({ resumed: false, count: 0, keepalive: 60_000 });
    expect(viewer.events[1]?.data).toEqual({ replayed: 0 });
    expect(viewer.events[2]?.id).toBe(entry?.id);
    expect(entry).toMatchObject({ channel: 'a', msg: 'one', level: 'info', source: 'test' });
    expect(viewer.retries).toEqual([3_000]);
  });

  it('has the headers that keep proxies from buffering and caching', async () => {
    const viewer = await (await start()).view();
    expect(viewer.status).toBe(200);
    expect(viewer.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'transfer-encoding': 'chunked',
    });
  });

  it('gives every frame but bye an id, and ids never go back', async () => {
    const gateway = await start({ SSE_KEEPALIVE_MS: '100' });
    await publish(gateway, 'a', ...range(0, 20));
    const viewer = await gateway.view('tail=10');
    await viewer.saw('ping');
    await publish(gateway, 'a', ...range(20, 25));
    await eventually(
      'pings after entries',
      () => viewer.events.at(-1)?.event === 'ping' && viewer.msgs.includes('24'),
    );
    const ids = viewer.events.map(({ id }) => numberOf(id));
    expect(ids.every((id, i) => i === 0 || id >= (ids[i - 1] as number))).toBe(true);
  });

  it('pings with a position that grows though nothing is published on its channels', async () => {
    const gateway = await start({ SSE_KEEPALIVE_MS: '100' });
    const viewer = await gateway.view('channels=quiet');
    const first = await viewer.saw('ping');
    await publish(gateway, 'busy', ...range(0, 10));
    await eventually('a later position', () => numberOf(viewer.lastEventId) > numberOf(first.id));
    expect(viewer.entries).toEqual([]);
  });

  it('shows a hostile line as one inert entry', async () => {
    const gateway = await start();
    const viewer = await gateway.view('channels=a');
    await viewer.saw('live');
    const hostile = [
      'x\n\nevent: forged\ndata: {}\n\n',
      '</script><b>',
      '\u001b[31mred',
      'lone \ud800 half',
      '\r\r',
      '\u2028\0',
    ];
    await publish(gateway, 'a', ...hostile);
    await viewer.got(hostile.length);
    expect(viewer.msgs).toEqual(hostile.map((text) => text.toWellFormed()));
    expect(new Set(viewer.events.map(({ event }) => event))).toEqual(new Set(['hello', 'live', '']));
  });

  it('sends a viewer of HTTP/1.0 the bare bytes, unchunked', async () => {
    const gateway = await start();
    await publish(gateway, 'a', 'old times');
    const socket = connect(gateway.port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    socket.write('GET /stream?channels=a&tail=1 HTTP/1.0\r\nHost: localhost\r\n\r\n');
    await eventually('the live frame', () => heard.includes('event: live'));
    const [head = '', ...frames] = heard.split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(head).toMatch(/connection: close/i);
    expect(frames.join('')).toMatch(
      /^retry: 3000\nevent: hello\nid: .*\ndata: .*\n\nid: \d+-\d+\ndata: .*old times.*\n\nevent: live\n/,
    );
    socket.destroy();
  });

  it('answers HEAD with the head only', async () => {
    const gateway = await start();
    const response = await fetch(`${gateway.url}/stream`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    expect(await gateway.health()).toMatchObject({ connections: 0 });
  });
});

describe('positions', () => {
  it('tail gives the newest N, oldest first', async () => {
    const gateway = await start();
    for (let i = 0; i < 1_200; i += 400) await publish(gateway, 'a', ...range(i, i + 400));
    const viewer = await gateway.view('channels=a&tail=700');
    expect((await viewer.saw('live')).data).toEqual({ replayed: 700 });
    expect(viewer.msgs).toEqual(range(500, 1_200));
  });

  it('since takes an id, a time and a duration', async () => {
    const gateway = await start();
    const ids = await publish(gateway, 'a', ...range(0, 5));
    const byId = await gateway.view(`channels=a&since=${ids[2]}`);
    await byId.saw('live');
    expect(byId.msgs).toEqual(['3', '4']);
    const ms = Number(`${ids[0]}`.split('-')[0]);
    const byTime = await gateway.view(`channels=a&since=${new Date(ms).toISOString()}`);
    await byTime.saw('live');
    expect(byTime.msgs).toEqual(range(0, 5));
    const later = await gateway.view(`channels=a&since=${new Date(Date.now() + 60_000).toISOString()}`);
    expect((await later.saw('live')).data).toEqual({ replayed: 0 });
    const byDuration = await gateway.view('channels=a&since=15m');
    await byDuration.saw('live');
    expect(byDuration.msgs).toEqual(range(0, 5));
  });

  it('Last-Event-ID wins over since and tail, as header and as parameter', async () => {
    const gateway = await start();
    const ids = await publish(gateway, 'a', ...range(0, 5));
    const byHeader = await gateway.view('channels=a&tail=5', { lastEventId: `${ids[3]}` });
    await byHeader.saw('live');
    expect(byHeader.msgs).toEqual(['4']);
    expect(byHeader.events[0]?.data).toMatchObject({ resumed: true });
    const byParameter = await gateway.view(`channels=a&since=1h&lastEventId=${ids[3]}`);
    await byParameter.saw('live');
    expect(byParameter.msgs).toEqual(['4']);
  });

  it('a viewer that received nothing resumes from its hello', async () => {
    const gateway = await start();
    const first = await gateway.view('channels=a');
    await first.saw('live');
    first.vanish();
    await first.ended();
    await publish(gateway, 'a', ...range(0, 3));
    const second = await gateway.view('channels=a', { lastEventId: first.lastEventId });
    await second.saw('live');
    expect(second.msgs).toEqual(range(0, 3));
  });

  it('reports a gap if retention has dropped what a resumed viewer missed', async () => {
    const gateway = await start({ RETENTION_ENTRIES: '100' });
    const [seen] = await publish(gateway, 'a', 'seen');
    for (let i = 0; i < 10; i++) await publish(gateway, 'a', ...range(i * 100, i * 100 + 100));
    const viewer = await gateway.view('channels=a', { lastEventId: `${seen}` });
    await viewer.saw('live');
    const [gap] = viewer.named('gap');
    expect(gap?.data).toMatchObject({ channel: 'a', after: seen, reason: 'trimmed' });
    expect(viewer.events[1]).toBe(gap);
    expect(viewer.msgs.at(-1)).toBe('999');
    // The gap is reported once: a viewer that has an entry after it does not get it again.
    const again = await gateway.view('channels=a', { lastEventId: `${viewer.entries[0]?.id}` });
    await again.saw('live');
    expect(again.named('gap')).toEqual([]);
    expect(again.msgs).toEqual(viewer.msgs.slice(1));
    expect(await gateway.health()).toMatchObject({ resumed: 1, resumedWithGap: 1 });
  });

  it('reports the rest of a gap again to a viewer that was cut off in the middle of its replay', async () => {
    const gateway = await start({ RETENTION_ENTRIES: '100' });
    const [seen] = await publish(gateway, 'steady', 'seen');
    for (let i = 0; i < 10; i++) {
      await publish(gateway, 'busy', ...range(i * 100, i * 100 + 100));
      await publish(gateway, 'steady', `${i}`);
    }
    const whole = await gateway.view('channels=busy,steady', { lastEventId: `${seen}` });
    await whole.saw('live');
    expect(whole.events.slice(0, 2).map(({ event }) => event)).toEqual(['hello', 'gap']);
    const [gap] = whole.named('gap');
    expect(gap?.data).toMatchObject({ channel: 'busy', after: seen });
    // By then the viewer had the gap and some entries of the other channel.
    const cut = whole.entries[4];
    expect(cut?.channel).toBe('steady');
    const resumed = await gateway.view('channels=busy,steady', { lastEventId: `${cut?.id}` });
    await resumed.saw('live');
    expect(resumed.named('gap').map(({ data }) => data)).toEqual([{ ...gap?.data, after: cut?.id }]);
    expect(resumed.msgs).toEqual(whole.msgs.slice(5));
  });

  it('reports a reset to a cursor of another log, and shows all entries of this one', async () => {
    const gateway = await start();
    await publish(gateway, 'a', 'new');
    for (const lastEventId of ['1-1000', '9007199254740-9007199254740991']) {
      const viewer = await gateway.view('channels=a', { lastEventId });
      await viewer.saw('live');
      expect(viewer.named('gap').map(({ data }) => data.reason)).toEqual(['reset']);
      expect(viewer.msgs).toEqual(['new']);
    }
  });

  it('a viewer ahead of its view, as after a change of gateways, sees nothing twice', async () => {
    const gateway = await start();
    const old = await gateway.view('channels=a');
    await old.saw('live');
    const [elsewhere] = await publish(gateway, 'b', 'moves the log on');
    const viewer = await gateway.view('channels=a', { lastEventId: `${elsewhere}` });
    await viewer.saw('live');
    await publish(gateway, 'a', ...range(0, 3));
    await viewer.got(3);
    expect(viewer.msgs).toEqual(range(0, 3));
    expect(viewer.named('live')[0]?.id).toBe(elsewhere);
    expect(viewer.named('gap')).toEqual([]);
  });
});

describe('selections', () => {
  it('level, source, run and q choose entries, in history and live', async () => {
    const gateway = await start();
    const write = () =>
      gateway.broker.publish([
        line('a', 'plain'),
        line('a', 'Broken Pipe', { level: 'error', source: 'gpu-1', run: 'r1' }),
        line('a', 'slow', { level: 'warn', source: 'gpu-2', attrs: { model: 'pipes-7b' } }),
      ]);
    await write();
    const expected = {
      'level=warn': ['Broken Pipe', 'slow'],
      'source=gpu-*': ['Broken Pipe', 'slow'],
      'source=gpu-2': ['slow'],
      'run=r1': ['Broken Pipe'],
      'q=pipe': ['Broken Pipe', 'slow'],
      'q=pipe&level=error': ['Broken Pipe'],
    };
    for (const [query, msgs] of Object.entries(expected)) {
      const history = await gateway.view(`channels=a&tail=${msgs.length}&${query}`);
      await history.saw('live');
      expect(history.msgs, query).toEqual(msgs);
      const live = await gateway.view(`channels=a&${query}`);
      await live.saw('live');
      await write();
      await live.got(msgs.length);
      expect(live.msgs, query).toEqual(msgs);
    }
  });

  it('a pattern shows reserved channels only if it begins with their prefix', async () => {
    const gateway = await start();
    const all = await gateway.view('channels=*');
    const runs = await gateway.view('channels=runs:*');
    await Promise.all([all.saw('live'), runs.saw('live')]);
    await publish(gateway, 'runs:1', 'private');
    await publish(gateway, 'a', 'public');
    await Promise.all([eventually('public', () => all.msgs.includes('public')), runs.got(1)]);
    expect(all.msgs).not.toContain('private');
    expect(runs.msgs).toEqual(['private']);
  });

  it('equal queries share a view, whatever the order of their parameters', async () => {
    const gateway = await start();
    const queries = [
      'channels=a,b&level=warn',
      'level=warn&channel=b&channel=a',
      'channels=b,a,b,&level=warn&q=',
    ];
    for (const query of queries) await (await gateway.view(query)).saw('live');
    expect(await gateway.health()).toMatchObject({ connections: 3, views: 1 });
    await (await gateway.view('channels=a,b')).saw('live');
    expect(await gateway.health()).toMatchObject({ connections: 4, views: 2 });
  });

  it('a filtered search of history gives up at its bound, and reports that', async () => {
    const gateway = await start({}, { history: { scanLimit: 1_000 } });
    const [first] = await publish(gateway, 'a', 'needle 0');
    for (let i = 0; i < 5; i++) await publish(gateway, 'a', ...range(0, 500));
    await publish(gateway, 'a', 'needle 1');
    const tail = await gateway.view('channels=a&q=needle&tail=5');
    await tail.saw('live');
    expect(tail.named('gap').map(({ data }) => data.reason)).toEqual(['scan_limit']);
    expect(tail.msgs).toEqual(['needle 1']);
    const resumed = await gateway.view('channels=a&q=needle', { lastEventId: `${first}` });
    await resumed.saw('live');
    expect(resumed.named('gap').map(({ data }) => data.reason)).toEqual(['scan_limit']);
  });
});

describe('bad requests', () => {
  it.each([
    ['channel=a%0ab', 'channels'],
    ['channels=%ff', 'channels'],
    [`channels=${'x'.repeat(10_000)}`, 'channels'],
    [`channels=${range(0, 101).join(',')}`, 'channels'],
    ['chanels=a', 'chanels'],
    ['__proto__=a', '__proto__'],
    ['level=loud', 'level'],
    ['level=info&level=warn', 'level'],
    ['tail=-1', 'tail'],
    ['tail=1e3', 'tail'],
    ['tail=10001', 'tail'],
    ['since=yesterday', 'since'],
    ['since=2026-99-99', 'since'],
    ['since=5y', 'since'],
    ['lastEventId=abc', 'lastEventId'],
    ['lastEventId=1-99999999999999999', 'lastEventId'],
    [`q=${'x'.repeat(501)}`, 'q'],
  ])('%s is refused by name', async (query, field) => {
    const gateway = await start();
    const response = await fetch(`${gateway.url}/stream?${query}`);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toMatch('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_query', field });
    expect(await gateway.health()).toMatchObject({ connections: 0, views: 0 });
  });

  it('a Last-Event-ID that is no id is refused; an empty one is none', async () => {
    const gateway = await start();
    const bad = await gateway.view('', { lastEventId: 'abc' });
    expect(bad.status).toBe(400);
    expect((await gateway.view('', { lastEventId: '' })).status).toBe(200);
  });
});
