// What destinations get, from real HTTP servers' points of view.

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { Destination } from '../../../src/rules/notify/destination.ts';
import type { DeliveredAlert } from '../../../src/rules/notify/messages.ts';
import { Notifier } from '../../../src/rules/notify/notifier.ts';

const alert = (text: string, more: Partial<DeliveredAlert> = {}): DeliveredAlert => ({
  id: text,
  event: 'alert.firing',
  time: Date.now(),
  text,
  level: 'error',
  alert: 'r',
  rule: 'r',
  since: 1,
  ...more,
});

interface Heard {
  body: string;
  headers: IncomingHttpHeaders;
}

const servers: Server[] = [];
const notifiers: Notifier[] = [];
afterEach(async () => {
  await Promise.all(notifiers.splice(0).map((one) => one.close()));
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A webhook that answers what `statuses` say, one after the other; after them 200. */
async function webhook(...statuses: (number | [number, Record<string, string>])[]) {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      heard.push({ body, headers: request.headers });
      const next = statuses.shift() ?? 200;
      const [status, headers] = typeof next === 'number' ? [next, {}] : next;
      response.writeHead(status, headers).end('an answer that nobody reads');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=s3cret` };
}

/** Messages that wait, as a store keeps them. */
function queueOf(alerts: DeliveredAlert[]) {
  const waiting = alerts.map((one) => JSON.stringify(one));
  return {
    waiting: async (_destination: string, most: number) => waiting.slice(0, most),
    delivered: async (_holder: string, _destination: string, count: number) => void waiting.splice(0, count),
    left: waiting,
  };
}

function notifierOf(store: ReturnType<typeof queueOf>, destination: Destination) {
  const said: string[] = [];
  const notifier = new Notifier({
    store,
    holder: 'one',
    destinations: () => new Map([['ops', destination]]),
    report: (msg) => said.push(msg),
    firstPauseMs: 1,
  });
  notifiers.push(notifier);
  notifier.isLeading = true;
  notifier.wake();
  return { notifier, said };
}

const toJson = (url: string) => new Destination({ kind: 'json', url }, () => undefined);

it('alerts that wait come together, in order, each once', async () => {
  const { heard, url } = await webhook();
  const store = queueOf(Array.from({ length: 30 }, (_, i) => alert(`${i}`)));
  const { notifier } = notifierOf(store, toJson(url));
  await eventually('all are delivered', () => store.left.length === 0);
  const bodies = heard.map(({ body }) => JSON.parse(body) as { source: string; alerts: DeliveredAlert[] });
  expect(bodies.map(({ alerts }) => alerts.length)).toEqual([20, 10]);
  expect(bodies.flatMap(({ alerts }) => alerts.map(({ text }) => text))).toEqual(
    Array.from({ length: 30 }, (_, i) => `${i}`),
  );
  expect(notifier.figures).toEqual({ sent: 30, failed: 0 });
});

it('a destination that is away is asked again until it takes the message', async () => {
  const { heard, url } = await webhook(503, [429, { 'retry-after': '0' }], 500);
  const store = queueOf([alert('x')]);
  const { said } = notifierOf(store, toJson(url));
  await eventually('it is delivered', () => store.left.length === 0);
  expect(heard).toHaveLength(4);
  expect(said).toEqual(['alerts cannot be delivered to ops: it answered 503; they are sent again']);
});

it('what a destination refuses is given up, and said', async () => {
  const { heard, url } = await webhook(404);
  const store = queueOf([alert('x')]);
  const { said, notifier } = notifierOf(store, toJson(url));
  await eventually('it is given up', () => store.left.length === 0);
  expect(heard).toHaveLength(1);
  expect(said).toEqual(['1 alerts for ops were given up: it answered 404']);
  expect(notifier.figures).toEqual({ sent: 0, failed: 1 });
});

it('what could not be delivered for an hour is given up', async () => {
  const store = queueOf([alert('x', { time: Date.now() - 3_700_000 })]);
  const { said } = notifierOf(store, toJson('http://127.0.0.1:1/'));
  await eventually('it is given up', () => store.left.length === 0);
  expect(said[0]).toMatch(/^1 alerts for ops were given up: it cannot be reached/);
});

it('what is newer is not given up with it', async () => {
  const { heard, url } = await webhook(503, 503);
  const store = queueOf([alert('old', { time: Date.now() - 3_700_000 }), alert('new')]);
  const { said, notifier } = notifierOf(store, toJson(url));
  await eventually('the newer one is delivered', () => store.left.length === 0);
  expect(heard.map(({ body }) => (JSON.parse(body) as { alerts: DeliveredAlert[] }).alerts.length)).toEqual([
    2, 1, 1,
  ]);
  expect(notifier.figures).toEqual({ sent: 1, failed: 1 });
  expect(said).toEqual([
    '1 alerts for ops were given up: it answered 503',
    'alerts cannot be delivered to ops: it answered 503; they are sent again',
  ]);
});

it('a redirect is not followed, so that whoever answers cannot send the gateway inside', async () => {
  const inside = await webhook();
  const { url } = await webhook([302, { location: inside.url }]);
  expect(await toJson(url).send([alert('x')])).toEqual({
    delivered: false,
    retry: false,
    problem: 'it answered 302',
  });
  expect(inside.heard).toEqual([]);
});

it('no problem names the address or the token', async () => {
  const problems = [
    await toJson('http://127.0.0.1:1/T0/s3cret').send([alert('x')]),
    await toJson('http://no-such-host.invalid/s3cret').send([alert('x')]),
    await new Destination({ kind: 'json', url_env: 'URL_OF_OPS' }, () => 's3cret').send([alert('x')]),
    await new Destination({ kind: 'json', url: 'http://127.0.0.1:1/', token_env: 'T' }, () => 's3 cret').send(
      [alert('x')],
    ),
  ];
  expect(problems.map(({ delivered }) => delivered)).toEqual([false, false, false, false]);
  expect(JSON.stringify(problems)).not.toMatch(/s3|127\.0\.0\.1|no-such-host/);
  expect(JSON.stringify(problems)).toContain('URL_OF_OPS holds no http:// or https:// address');
});

it('Slack gets one text in which nothing is a link or a mention', async () => {
  const { heard, url } = await webhook();
  await new Destination({ kind: 'slack', url }, () => undefined).send([
    alert('a <!channel> & <https://evil.example|click>'),
    alert('b', { event: 'alert.resolved' }),
  ]);
  expect(JSON.parse(heard[0]?.body ?? '')).toEqual({
    text: '🔴 a &lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;\n✅ b',
    mrkdwn: false,
  });
});

it('ntfy gets the sentence, a priority, and its token; headers hold nothing from the log', async () => {
  const { heard, url } = await webhook();
  const settings = { kind: 'ntfy', url, token_env: 'NTFY' } as const;
  await new Destination(settings, () => 'tk_1').send([alert('häuser\r\nX-Evil: 1')]);
  expect(heard[0]).toMatchObject({
    body: '🔴 häuser\r\nX-Evil: 1',
    headers: { authorization: 'Bearer tk_1', title: '1 firing', priority: 'high', tags: 'rotating_light' },
  });
  expect(heard[0]?.headers['x-evil']).toBeUndefined();
});
