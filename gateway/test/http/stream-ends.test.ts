// GET /stream over real sockets: limits, and how streams end.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { line, openGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { open, range, start } from './stream-gateway.ts';

describe('limits', () => {
  it('a refused EventSource gets a stream that asks it to come back, other clients get a 503', async () => {
    const gateway = await start({ MAX_CONNECTIONS: '1', SSE_RETRY_MS: '1000' });
    await (await gateway.view()).saw('live');
    const browser = await gateway.view('', { headers: { accept: 'text/event-stream' } });
    const bye = await browser.saw('bye');
    await browser.ended();
    expect(browser.status).toBe(200);
    expect(bye.data).toMatchObject({ code: 'over_limit' });
    expect(browser.retries[0]).toBeGreaterThanOrEqual(500);
    expect(browser.retries[0]).toBeLessThanOrEqual(1_500);
    const script = await fetch(`${gateway.url}/stream`);
    expect(script.status).toBe(503);
    expect(Number(script.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await script.json()).toMatchObject({ code: 'over_limit' });
    expect(await gateway.health()).toMatchObject({ connections: 1, refused: 2 });
  });

  it('a limit also holds for viewers that come while their view is being opened', async () => {
    const redis = await startRedis();
    open.push({ close: () => redis.stop() });
    const gateway = await start({ REDIS_URL: redis.url, NAMESPACE: randomNamespace(), MAX_CONNECTIONS: '2' });
    open.reverse(); // the gateway is closed before its Redis
    const headers = { accept: 'text/event-stream' };
    redis.pause();
    const coming = range(0, 8).map(() => gateway.view('channels=a', { headers }));
    await fetch(`${gateway.url}/healthz`); // the answer shows that they wait for Redis by now
    redis.resume();
    await Promise.all(coming);
    expect(await gateway.health()).toMatchObject({ connections: 2, refused: 6 });
  });

  it('an address has a limit of its own, and a viewer that leaves makes room', async () => {
    const gateway = await start({ MAX_CONNECTIONS_PER_ADDRESS: '1' });
    const first = await gateway.view();
    await first.saw('live');
    expect((await gateway.view()).status).toBe(503);
    first.vanish();
    await eventually('a place', async () => (await gateway.view()).status === 200);
  });

  it('too many different queries are refused; a query that has a view already is not', async () => {
    const gateway = await start({ MAX_VIEWS: '1' });
    await (await gateway.view('channels=a')).saw('live');
    expect((await gateway.view('channels=b')).status).toBe(503);
    expect((await gateway.view('channels=a')).status).toBe(200);
  });

  it('too many different patterns are refused so that an EventSource comes back; known patterns are not', async () => {
    const gateway = await start();
    const query = (viewer: string) => `channels=${range(0, 10).map((i) => `*:${viewer}:${i}`)}`;
    const viewers = await Promise.all(range(0, 25).map((i) => gateway.view(query(i))));
    await Promise.all(viewers.map((viewer) => viewer.saw('live')));
    const browser = await gateway.view('channels=a*', { headers: { accept: 'text/event-stream' } });
    expect(await browser.saw('bye')).toMatchObject({ data: { code: 'too_many_patterns' } });
    expect(browser.status).toBe(200);
    expect(browser.retries).toHaveLength(1);
    expect((await gateway.view('channels=a*')).status).toBe(503);
    expect((await gateway.view('channels=a')).status).toBe(200);
    expect((await gateway.view(`${query('7')}&level=warn`)).status).toBe(200);
    viewers[0]?.vanish();
    await eventually('room again', async () => (await gateway.view('channels=a*')).status === 200);
  });

  it('a connection ends at its lifetime with a bye and a time to come back', async () => {
    const gateway = await start({ SSE_LIFETIME_MS: '100' });
    const viewer = await gateway.view();
    const bye = await viewer.saw('bye');
    await viewer.ended();
    expect(bye.data).toMatchObject({ code: 'lifetime' });
    expect(viewer.retries).toHaveLength(2);
  });
});

describe('ends', () => {
  it('closing the application says bye to every viewer, each with a retry of its own', async () => {
    const gateway = await openGateway();
    const all = await Promise.all(Array.from({ length: 20 }, () => gateway.view()));
    await Promise.all(all.map((viewer) => viewer.saw('live')));
    await gateway.close();
    await Promise.all(all.map((viewer) => viewer.ended()));
    expect(all.map((viewer) => viewer.named('bye')[0]?.data.code)).toEqual(all.map(() => 'shutdown'));
    expect(new Set(all.map((viewer) => viewer.retries.at(-1))).size).toBeGreaterThan(5);
  });

  it.each([
    ['/stream', /event: bye\n(.*\n)*data: .*"code":"shutdown"/],
    ['/api/runs/m-1/stream', /retry: \d+\n/],
  ])(
    'a native EventSource that asks for %s while the application closes comes again',
    async (path, lastWords) => {
      const gateway = await openGateway({}, { simulator: { tokenMs: 0 } });
      const headers = { 'content-type': 'application/json' };
      const run = JSON.stringify({ message: 'hello', message_id: 'm-1' });
      await (await fetch(`${gateway.url}/api/process`, { method: 'POST', headers, body: run })).text();
      const viewer = await gateway.view();
      await viewer.saw('live');
      const late = connect(gateway.port, '127.0.0.1');
      let heard = '';
      late.setEncoding('latin1').on('data', (text: string) => {
        heard += text;
      });
      const host = 'Host: localhost\r\n';
      const request = `GET /healthz HTTP/1.1\r\n${host}\r\nGET ${path} HTTP/1.1\r\n${host}Accept: text/event-stream\r\n\r\n`;
      // Its first bytes come with a request before it, since the gateway could close an idle connection first.
      late.write(request.slice(0, -20));
      await eventually('the first answer', () => heard.includes('HTTP/1.1 200'));
      const ended = once(late, 'close');
      const closing = gateway.close();
      await viewer.saw('bye');
      late.write(request.slice(-20));
      await ended;
      await closing;
      const [, stream] = heard.split(/(?=HTTP\/1\.1 )/);
      expect(stream).toMatch(/^HTTP\/1\.1 200 /);
      expect(stream).toMatch(lastWords);
    },
  );

  it('a viewer that reads nothing does not keep the application from closing', async () => {
    const gateway = await openGateway();
    const slow = await gateway.view('channels=a');
    await slow.saw('live');
    slow.pause();
    await eventually('a lagging viewer', async () => {
      await gateway.broker.publish([line('a', 'x'.repeat(60_000)), line('a', 'x'.repeat(60_000))]);
      return (await gateway.health()).lagging === 1;
    });
    await gateway.close();
    slow.resume();
    await slow.ended();
  });

  it('a client that vanishes leaves no connection and no view', async () => {
    const gateway = await start();
    const all = await Promise.all(range(0, 30).map((i) => gateway.view(`channels=c${i}&tail=5`)));
    for (const viewer of all) viewer.vanish();
    await eventually('nobody', async () => {
      const { connections, views } = await gateway.health();
      return connections === 0 && views === 0;
    });
  });

  it('a request that is pipelined after a stream ends both and leaves nothing', async () => {
    const gateway = await start();
    const socket = connect(gateway.port, '127.0.0.1');
    socket.resume().on('error', () => {});
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    socket.write(request('/stream') + request('/stream?channels=b'));
    await once(socket, 'close');
    await eventually('nobody', async () => {
      const { connections, views } = await gateway.health();
      return connections === 0 && views === 0;
    });
  });

  it('a stream that is pipelined after other requests begins when they are answered', async () => {
    const gateway = await start();
    const socket = connect(gateway.port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    // The page is read from a file, so that its answer is ready later than the stream.
    socket.write(request('/healthz') + request('/') + request('/stream'));
    await eventually('the stream', () => heard.includes('event: live'));
    expect(heard.match(/HTTP\/1\.1 200|"status":"ok"|<\/html>|event: hello/g)).toEqual([
      'HTTP/1.1 200',
      '"status":"ok"',
      'HTTP/1.1 200',
      '</html>',
      'HTTP/1.1 200',
      'event: hello',
    ]);
    socket.destroy();
  });

  it('a socket that reads nothing for too long is closed', async () => {
    const gateway = await start({ SSE_STALL_MS: '200' });
    const stalled = await gateway.view('channels=a');
    await stalled.saw('live');
    stalled.pause();
    await eventually('it is closed', async () => {
      await gateway.broker.publish([line('a', 'x'.repeat(60_000)), line('a', 'x'.repeat(60_000))]);
      const { stalled, connections } = await gateway.health();
      return stalled === 1 && connections === 0;
    });
  });
});
