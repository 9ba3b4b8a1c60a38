// Attacks on who may read and write what, on the embedded log and on Redis. The number of each is its number in the list of attacks.
import { connect } from 'node:net';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import type { SseClient } from '../../../../test-support/sse-client.ts';
import { createApp } from '../../../src/app.ts';
import { EVERYONE } from '../../../src/auth/principal.ts';
import { readGatewayConfig } from '../../../src/config.ts';
import { bearer, People, person } from '../people.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const people = new People(
  person('all', { read: ['*'], publish: ['*'], run: true, metrics: true }),
  person('more', { read: ['*'] }),
  person('logs', { read: ['logs*'] }),
  person('same', { read: ['logs*'] }),
  person('team', { read: ['team:*'], publish: ['team:*'], run: true }),
  person('ci', { publish: ['logs:ci*'] }, { source: 'ci-*' }),
  person('exact', { publish: ['*'] }, { source: 'ci-1' }),
  person('admin', EVERYONE.grants),
  person('old', { read: ['*'] }, { expires: Date.now() - 1 }),
);

const LOGS = ['embedded', 'Redis'] as const;
const viewers: SseClient[] = [];
let gateway: TestGateway;

const start = async (log: (typeof LOGS)[number], env: Record<string, string> = {}) => {
  const store = log === 'Redis' ? { REDIS_URL: redis.url, NAMESPACE: randomNamespace() } : {};
  gateway = await openGateway(
    { AUTH: 'on', RATE_LIMIT_BURST: '2', ...store, ...env },
    { credentials: people.credentials },
  );
};
afterEach(async () => {
  people.away = false;
  for (const viewer of viewers.splice(0)) viewer.vanish();
  await gateway.close();
});

const get = (path: string, name?: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}${path}`, {
    redirect: 'manual',
    headers: { ...(name !== undefined && bearer(name)), ...headers },
  });
const codeOf = async (answer: Response) => {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const { code } = (await answer.json()) as { code: string };
  return `${answer.status} ${code}`;
};
const publish = (name: string, body: unknown, query = '', headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/api/publish${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(name), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const view = async (name: string, query: string, headers: Record<string, string> = {}) => {
  const viewer = await gateway.view(query, { headers: { ...bearer(name), ...headers } });
  viewers.push(viewer);
  return viewer;
};
const channelsOf = (viewer: SseClient) => viewer.saw('hello').then(({ data }) => data.channels);
const historyOf = async (channels: string, name = 'admin') => {
  const answer = await get(`/api/entries?channels=${channels}`, name);
  const { entries } = (await answer.json()) as {
    entries: { msg: string; source: string; channel: string }[];
  };
  return entries.filter(({ channel }) => channel !== 'logs:gateway');
};
/** Sends raw bytes, and gives the first line of the answer. */
const raw = (text: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text));
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n')[0] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });

it('2: a route that does not say what it needs stops the start', async () => {
  await start('embedded');
  const broker = new MemoryBroker();
  const app = createApp(readGatewayConfig({}), broker, createLogger('gateway', 'silent', true));
  expect(() => app.get('/new', async () => 'hi')).toThrow('the route GET /new does not say what it needs');
  await app.close();
  await broker.close();
});

describe.each(LOGS)('with the %s log', (log) => {
  describe('who comes', () => {
    beforeEach(() => start(log));

    it('1: nobody gets anywhere without a credential, however the path is written', async () => {
      const paths = ['/stream', '/api/entries', '/api/channels', '/api/runs', '/api/runs/x', '/metrics'];
      for (const path of [
        ...paths,
        '/api/runs/x/stream',
        '/api/conversations/x',
        '/sse/health',
        '/%61pi/entries',
      ])
        for (const method of ['GET', 'HEAD']) {
          const answer = await fetch(`${gateway.url}${path}`, { method });
          // This path has no HEAD.
          if (method === 'HEAD' && path === '/api/runs/x/stream') continue;
          expect(`${path} ${answer.status}`).toBe(`${path} 401`);
          expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        }
      for (const path of ['/api/publish', '/api/process', '/api/runs/x/cancel'])
        expect(await codeOf(await fetch(`${gateway.url}${path}`, { method: 'POST' }))).toBe(
          '401 unauthorized',
        );
      for (const path of ['//api/entries', '/api/entries/', '/api//entries', '/API/entries', '/nothing'])
        expect([400, 401, 403, 404]).toContain((await get(path)).status);
      expect((await fetch(`${gateway.url}/api/entries`, { method: 'OPTIONS' })).status).toBe(405);
      expect((await fetch(`${gateway.url}/api/entries`, { method: 'DELETE' })).status).toBe(405);
      expect((await get('/api/runs/x/cancel')).status).toBe(405);
    });

    it('1: the page and the probes need nothing', async () => {
      for (const path of ['/', '/healthz', '/readyz', '/index.html?channels=x'])
        expect(`${path} ${(await get(path)).status}`).toBe(`${path} 200`);
    });

    it('3: a broken Authorization header is refused, and two of them are', async () => {
      const broken = [
        '',
        'Bearer',
        'Bearer ',
        'lls_all',
        'Digest lls_all',
        'Bearer lls_all lls_all',
        'Basic !!!',
      ];
      broken.push(
        `Basic ${btoa('lls_all')}`,
        'Bearer lls_nobody',
        'Bearer __proto__',
        'Bearer a.b.c',
        'Bearer lst_x',
      );
      broken.push(`Bearer ${'x'.repeat(60_000)}`);
      const answers: string[] = [];
      for (const authorization of broken)
        answers.push(await codeOf(await get('/api/entries', undefined, { authorization })));
      // An address that goes on guessing is told to slow down.
      expect(new Set(answers.slice(0, 10))).toEqual(new Set(['401 unauthorized']));
      expect(['401 unauthorized', '429 too_many_attempts']).toEqual(
        expect.arrayContaining(answers.slice(10)),
      );
      const head = `GET /api/entries HTTP/1.1\r\nHost: localhost\r\n`;
      expect(await raw(`${head}Authorization: Bearer lls_all\r\nauthorization: Bearer lls_all\r\n\r\n`)).toBe(
        'HTTP/1.1 400 Bad Request',
      );
    });

    it('3: the scheme may be in lower case, and a key may be the password of Basic', async () => {
      for (const authorization of ['bearer lls_all', 'BEARER lls_all', `Basic ${btoa('prometheus:lls_all')}`])
        expect((await get('/metrics', undefined, { authorization })).status).toBe(200);
    });

    it('4: a valid cookie does not help an invalid key, and an invalid cookie is refused', async () => {
      expect((await get('/api/entries', undefined, { cookie: 'test=lls_all' })).status).toBe(200);
      expect((await get('/api/entries', 'nobody', { cookie: 'test=lls_all' })).status).toBe(401);
      expect((await get('/api/entries', 'all', { cookie: 'test=lls_nobody' })).status).toBe(200);
      expect((await get('/api/entries', undefined, { cookie: 'test=lls_nobody' })).status).toBe(401);
    });

    it('5: a token in the query is not looked at', async () => {
      for (const name of ['access_token', 'token', 'auth', 'authorization'])
        for (const path of ['/stream', '/api/entries', '/metrics']) {
          expect((await get(`${path}?${name}=lls_all`)).status).toBe(401);
          expect(await codeOf(await get(`${path}?${name}=lls_all`, 'all'))).toBe('400 invalid_query');
        }
    });

    it('every answer to a broken credential is the same', async () => {
      const bodies = await Promise.all(
        ['nobody', 'old', 'x'.repeat(500)].map(async (name) => (await get('/api/entries', name)).text()),
      );
      expect(new Set(bodies).size).toBe(1);
    });

    it('27: while people cannot be looked up, nobody is told that he is unknown', async () => {
      people.away = true;
      expect(await codeOf(await get('/api/entries', 'all'))).toBe('503 broker_unavailable');
      expect(await codeOf(await get('/stream', 'all'))).toBe('503 broker_unavailable');
      const viewer = await view('all', '', { accept: 'text/event-stream' });
      expect(viewer.status).toBe(200);
      expect((await viewer.saw('bye')).data.code).toBe('not_ready');
      const run = await get('/api/runs/x/stream', 'all', { accept: 'text/event-stream' });
      expect(run.status).toBe(200);
      expect(await run.text()).toMatch(/^retry: /);
      expect((await get('/')).status).toBe(200);
    });

    it('47: a name that an attacker leads here is refused, cookie or not', async () => {
      const head = 'GET /api/entries HTTP/1.1\r\nHost: evil.example\r\n';
      expect(await raw(`${head}Cookie: test=lls_all\r\n\r\n`)).toBe('HTTP/1.1 403 Forbidden');
    });

    it('rights other than channels are looked at, too', async () => {
      for (const path of ['/metrics', '/sse/health'])
        expect(await codeOf(await get(path, 'logs'))).toBe('403 forbidden');
      expect(await codeOf(await publish('logs', { channel: 'logs', msg: 'x' }))).toBe('403 forbidden');
      const process = await fetch(`${gateway.url}/api/process`, { method: 'POST', headers: bearer('logs') });
      expect(await codeOf(process)).toBe('403 forbidden');
    });
  });

  describe('with AUTH_ANONYMOUS', () => {
    beforeEach(() => start(log, { AUTH_ANONYMOUS: 'logs:public*' }));

    it('6: an invalid or expired credential is never anonymous', async () => {
      for (const path of ['/stream', '/api/entries'])
        for (const name of ['nobody', 'old'])
          expect(await codeOf(await get(`${path}?channels=logs:public`, name))).toBe('401 unauthorized');
      expect(
        (await get('/api/entries?channels=logs:public', undefined, { cookie: 'test=lls_old' })).status,
      ).toBe(401);
    });

    it('whoever shows a credential reads what is public, too', async () => {
      await gateway.broker.publish([
        line('logs:public:a', 'open'),
        line('logs', 'closed'),
        line('team:a', 'own'),
      ]);
      const page = (await (await get('/api/entries', 'team')).json()) as { entries: { channel: string }[] };
      expect(page.entries.map(({ channel }) => channel)).toEqual(['logs:public:a', 'team:a']);
      expect(await codeOf(await get('/api/entries?channels=logs', 'team'))).toBe('403 channel_forbidden');
      expect((await get('/api/entries?channels=logs:public:a', 'ci')).status).toBe(200);
      // Of others it is a part already.
      const all = (await (await get('/api/entries', 'all')).json()) as { channels?: string[] };
      expect(all.channels).toBeUndefined();
    });

    it('6: nobody reads more than what is public', async () => {
      await gateway.broker.publish([line('logs:public:a', 'open'), line('logs', 'closed')]);
      const page = (await (await get('/api/entries')).json()) as { entries: unknown[]; channels: string[] };
      expect(page.entries).toHaveLength(1);
      expect(page.channels).toEqual(['logs:public*']);
      expect(await codeOf(await get('/api/entries?channels=logs'))).toBe('401 unauthorized');
      expect(await codeOf(await get('/api/runs'))).toBe('401 unauthorized');
      const { channels } = (await (await get('/api/channels')).json()) as { channels: { channel: string }[] };
      expect(channels.map(({ channel }) => channel)).toEqual(['logs:public:a']);
    });
  });

  describe('what is read', () => {
    beforeEach(() => start(log));

    it('9: logs* reads logs and logs:x, and nothing else', async () => {
      for (const channel of ['logs', 'logs:x']) {
        await gateway.broker.publish([line(channel, channel)]);
        expect((await get(`/api/entries?channels=${channel}`, 'logs')).status).toBe(200);
        expect(await channelsOf(await view('logs', `channels=${channel}`))).toBeUndefined();
      }
      for (const channel of ['log', 'runs:x', 'audit:x', 'audit:auth', 'team:a', 'conversations:c'])
        for (const path of ['/stream', '/api/entries'])
          expect(await codeOf(await get(`${path}?channels=${channel}`, 'logs'))).toBe(
            '403 channel_forbidden',
          );
    });

    it('10: * does not open runs, however they are asked for', async () => {
      await gateway.broker.publish([line('runs:bob/r1', 'a prompt'), line('events:runs:bob', 'a run')]);
      for (const pattern of ['runs:*', 'runs:bob/*', 'audit:*', 'conversations:*', 'events:runs:*']) {
        const answer = await get(`/api/entries?channels=${pattern}`, 'more');
        const own = pattern === 'runs:*' || pattern === 'conversations:*';
        if (own) {
          const page = (await answer.json()) as { entries: unknown[]; channels: string[] };
          expect(page).toMatchObject({ entries: [], channels: [pattern.replace('*', 'more/*')] });
        } else if (pattern === 'events:runs:*')
          expect(((await answer.json()) as { channels: string[] }).channels).toEqual(['events:runs:more']);
        else expect(await codeOf(answer)).toBe('403 channel_forbidden');
      }
      for (const pattern of ['r*', '*s:*', '*', '*bob*', '*:runs:*', 'ru*ns:*']) {
        expect(await historyOf(pattern, 'more')).toEqual([]);
      }
      expect(await historyOf('runs:*')).toHaveLength(1);
    });

    it('11: a hundred patterns of many stars are answered or refused, and hold nobody up', async () => {
      const starry = Array.from({ length: 10 }, (_, i) => `*${'a'.repeat(i)}*b*c`);
      const simple = Array.from({ length: 90 }, (_, i) => `${'l'.repeat(100)}${i}*`);
      const answer = await get(`/api/entries?channels=${[...starry, ...simple].join()}`, 'logs');
      expect([200, 400]).toContain(answer.status);
      expect((await get(`/api/entries?channels=${'*a'.repeat(60)}`, 'logs')).status).toBe(400);
    });

    it('13: equal rights share a view, other rights have another', async () => {
      const views = async () => ((await (await get('/sse/health', 'all')).json()) as { views: number }).views;
      for (const name of ['logs', 'same', 'logs']) await (await view(name, 'channels=*')).saw('live');
      expect(await views()).toBe(1);
      await (await view('team', 'channels=*')).saw('live');
      expect(await views()).toBe(2);
      // What is allowed as a whole is the view of those who may read more.
      await (await view('all', 'channels=logs:*')).saw('live');
      await (await view('logs', 'channels=logs:*')).saw('live');
      expect(await views()).toBe(3);
    });

    it('14: the id of a wider session replays nothing to a narrower one', async () => {
      const [first] = await gateway.broker.publish([
        line('logs', 'first'),
        line('team:a', 'closed'),
        line('logs', 'open'),
      ]);
      const viewer = await view('logs', 'channels=*', { 'last-event-id': `${first}` });
      expect(await channelsOf(viewer)).toEqual(['logs*']);
      await viewer.got(1);
      await viewer.saw('live');
      expect(viewer.msgs.filter((msg) => msg !== 'gateway started')).toEqual(['open']);
    });

    it('entries, as JSON and as NDJSON, say to what they were narrowed', async () => {
      await gateway.broker.publish([line('logs', 'open'), line('team:a', 'closed')]);
      const json = await get('/api/entries?channels=*,logs:x', 'logs');
      expect(await json.json()).toMatchObject({ channels: ['logs*'] });
      expect((await historyOf('*,logs:x', 'logs')).map(({ msg }) => msg)).toEqual(['open']);
      const lines = await get('/api/entries', 'logs', { accept: 'application/x-ndjson' });
      expect(lines.headers.get('channels')).toBe('logs*');
      expect(await lines.text()).not.toContain('closed');
      const whole = await get('/api/entries', 'all', { accept: 'application/x-ndjson' });
      expect(whole.headers.get('channels')).toBeNull();
      expect(await (await get('/api/entries', 'all')).json()).not.toHaveProperty('channels');
    });

    it('HEAD of a stream is judged as GET is', async () => {
      const head = (query: string) =>
        fetch(`${gateway.url}/stream?${query}`, { method: 'HEAD', headers: bearer('logs') });
      expect((await head('channels=logs')).status).toBe(200);
      expect((await head('channels=team:a')).status).toBe(403);
    });

    it('a list of channels holds those that may be read', async () => {
      await gateway.broker.publish([
        line('logs', 'a'),
        line('logs:x', 'a'),
        line('team:a', 'a'),
        line('runs:r', 'a'),
      ]);
      const names = async (name: string) => {
        const { channels } = (await (await get('/api/channels', name)).json()) as {
          channels: { channel: string }[];
        };
        return channels.map(({ channel }) => channel).filter((channel) => channel !== 'logs:gateway');
      };
      const asked = ['logs', 'same', 'team', 'all', 'ci'];
      expect(await Promise.all(asked.map(names))).toEqual([
        ['logs', 'logs:x'],
        ['logs', 'logs:x'],
        ['team:a'],
        ['logs', 'logs:x', 'team:a'],
        [],
      ]);
    });
  });

  describe('gaps', () => {
    beforeEach(() => start(log, { RETENTION_ENTRIES: '1' }));

    it('15: name only channels that may be read', async () => {
      const [first] = await gateway.broker.publish([line('logs', 'first')]);
      for (let i = 0; i < 4; i++)
        await gateway.broker.publish(
          ['logs', 'team:a'].flatMap((channel) =>
            Array.from({ length: 200 }, (_, j) => line(channel, `${i} ${j}`)),
          ),
        );
      const viewer = await view('logs', 'channels=*', { 'last-event-id': `${first}` });
      await viewer.saw('live');
      const named = viewer.named('gap').map(({ data }) => data.channel);
      expect(named).toContain('logs');
      expect(named).not.toContain('team:a');
      const page = (await (await get(`/api/entries?channels=*&after=${first}`, 'team')).json()) as {
        gaps: { channel: string }[];
      };
      expect(page.gaps.map(({ channel }) => channel)).toEqual(['team:a']);
    });
  });

  describe('what is written', () => {
    beforeEach(() => start(log));

    it('18: one forbidden entry refuses the whole batch, and the error names its place', async () => {
      const open = { channel: 'team:a', msg: 'open' };
      const closed = { channel: 'logs', msg: 'closed' };
      const fieldOf = async (answer: Response) => {
        const { code, field } = (await answer.json()) as { code: string; field: string };
        return `${answer.status} ${code} ${field}`;
      };
      expect(await fieldOf(await publish('team', [open, closed]))).toBe('403 channel_forbidden [1].channel');
      const ndjson = { 'content-type': 'application/x-ndjson' };
      const text = (all: unknown[]) => all.map((one) => JSON.stringify(one)).join('\n');
      expect(await fieldOf(await publish('team', text([open, open, closed]), '', ndjson))).toBe(
        '403 channel_forbidden line 3.channel',
      );
      // This form goes into the log as it is written, without being parsed.
      const asWritten = (channel: string) => line(channel, 'as written').body;
      const bodies = [asWritten('team:a'), '', asWritten('logs')].join('\n');
      expect(await fieldOf(await publish('team', bodies, '', ndjson))).toBe(
        '403 channel_forbidden line 3.channel',
      );
      expect(await fieldOf(await publish('team', { msg: 'x' }, '?channel=logs'))).toBe(
        '403 channel_forbidden channel',
      );
      const plain = { 'content-type': 'text/plain' };
      expect(await fieldOf(await publish('team', 'a\nb', '?channel=logs', plain))).toBe(
        '403 channel_forbidden channel',
      );
      expect(await historyOf('team:*,logs')).toEqual([]);
      for (const [body, query, headers] of [
        [open, '', {}],
        [asWritten('team:a'), '', ndjson],
        ['text', '?channel=team:b', plain],
      ] as const)
        expect((await publish('team', body, query, headers)).status).toBe(200);
      expect(await historyOf('team:*')).toHaveLength(3);
    });

    it('19: a source that the key may not claim is refused in every form', async () => {
      const entry = (source: string) => ({ channel: 'logs:ci', msg: 'x', source });
      const ndjson = { 'content-type': 'application/x-ndjson' };
      expect(await codeOf(await publish('ci', entry('gpu-7')))).toBe('403 forbidden');
      expect(await codeOf(await publish('ci', { channel: 'logs:ci', msg: 'x' }))).toBe('403 forbidden');
      const asWritten = (source: string) => line('logs:ci', 'x', { source }).body;
      for (const source of ['gpu-7', 'gpu"ci-', '\\ci-1', 'ci'])
        expect(await codeOf(await publish('ci', asWritten(source), '', ndjson))).toBe('403 forbidden');
      expect((await publish('ci', entry('ci-1'))).status).toBe(200);
      expect((await publish('ci', asWritten('ci-"2"'), '', ndjson)).status).toBe(200);
      expect((await publish('exact', { channel: 'logs:x', msg: 'x' })).status).toBe(200);
      expect((await historyOf('logs:ci,logs:x')).map(({ source }) => source)).toEqual([
        'ci-1',
        'ci-"2"',
        'ci-1',
      ]);
    });

    it("19: nobody can use up the numbers of another's Publisher-Id", async () => {
      const id = 'a'.repeat(32);
      const stamp = (seq: number) => ({ 'publisher-id': id, 'publisher-seq': `${seq}` });
      expect((await publish('team', { channel: 'team:a', msg: 'attack' }, '', stamp(999_999))).status).toBe(
        200,
      );
      expect((await publish('all', { channel: 'logs', msg: 'mine' }, '', stamp(1))).status).toBe(200);
      expect((await historyOf('logs')).map(({ msg }) => msg)).toEqual(['mine']);
      // The same batch of the same writer is still written once.
      await publish('all', { channel: 'logs', msg: 'mine' }, '', stamp(1));
      expect(await historyOf('logs')).toHaveLength(1);
    });

    it("20: the gateway's own channels are written by nobody else", async () => {
      for (const channel of ['audit:auth', 'audit:x', 'logs:gateway', 'events:runs:all', 'runs:all/r'])
        for (const name of ['all', 'admin'])
          expect(await codeOf(await publish(name, { channel, msg: 'forged' }))).toBe('422 channel_reserved');
      expect((await historyOf('audit:*,logs:gateway,runs:*')).filter(({ msg }) => msg === 'forged')).toEqual(
        [],
      );
      // Nothing trusts this one, where runs have owners, and producers write it.
      expect((await publish('all', { channel: 'events:runs', msg: 'mine' })).status).toBe(200);
    });

    it('40: no answer that not everybody may have is kept by a browser or a proxy', async () => {
      const paths = ['/api/entries', '/api/channels', '/api/runs', '/api/runs/x', '/api/conversations/x'];
      for (const path of [...paths, '/auth/profile', '/metrics', '/sse/health', '/api/runs/x/stream'])
        for (const name of ['all', undefined])
          expect([path, (await get(path, name)).headers.get('cache-control')]).toEqual([path, 'no-store']);
      expect((await get('/')).headers.get('cache-control')).toBe('no-cache');
    });

    it('the limit of runs is counted for each person', async () => {
      const run = (name: string, id: string) =>
        fetch(`${gateway.url}/api/process`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', prefer: 'respond-async', ...bearer(name) },
          body: JSON.stringify({ message: 'hi', message_id: id }),
        });
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) statuses.push((await run('team', `t${i}`)).status);
      expect(statuses).toContain(429);
      expect((await run('all', 'a1')).status).toBe(202);
    });

    it('40: refusals are summed for admins, and hold no secret', async () => {
      const secret = 'lls_very-secret-key';
      for (let i = 0; i < 30; i++)
        await get('/api/entries', undefined, { authorization: `Bearer ${secret}` });
      await publish('team', { channel: 'logs', msg: 'my secret text' });
      const entries = await eventually('the refusals', async () => {
        const found = await historyOf('audit:refusals');
        return found.some(({ msg }) => msg.includes('POST /api/publish')) && found;
      });
      expect(entries.length).toBeLessThan(20);
      expect(JSON.stringify(entries)).toContain(
        'refused GET /api/entries to an invalid api key: unauthorized',
      );
      expect(JSON.stringify(entries)).toContain('key:team');
      for (const text of [secret, 'secret']) expect(JSON.stringify(entries)).not.toContain(text);
      expect((await get('/api/entries?channels=audit:*', 'all')).status).toBe(403);
    });
  });

  describe('with AUTH=report', () => {
    beforeEach(() => start(log, { AUTH: 'report' }));

    it('everything is allowed, and what would have been refused is told', async () => {
      await gateway.broker.publish([line('team:a', 'x'), line('audit:auth', 'secret')]);
      expect((await get('/api/entries')).status).toBe(200);
      expect((await get('/api/entries?channels=team:a', 'logs')).status).toBe(200);
      expect((await get('/api/entries', 'nobody')).status).toBe(200);
      expect((await get('/metrics')).status).toBe(200);
      expect((await publish('ci', { channel: 'logs', msg: 'x' })).status).toBe(200);
      const entries = await eventually('the report', async () => {
        const found = await historyOf('audit:refusals');
        return found.some(({ msg }) => msg.includes('POST /api/publish')) && found;
      });
      const told = entries.map(({ msg }) => msg.replace(/, \d+ ×$/, '')).sort();
      expect(told).toEqual([
        'AUTH=on would refuse GET /api/entries to an invalid api key: unauthorized',
        'AUTH=on would refuse GET /api/entries to key:logs: channel_forbidden',
        'AUTH=on would refuse GET /api/entries to nobody: unauthorized',
        'AUTH=on would refuse GET /metrics to nobody: unauthorized',
        'AUTH=on would refuse POST /api/publish to key:ci: channel_forbidden',
      ]);
    });

    it('the audit is still for admins', async () => {
      expect(await codeOf(await get('/api/entries?channels=audit:auth'))).toBe('403 channel_forbidden');
      expect((await get('/api/entries?channels=audit:auth', 'admin')).status).toBe(200);
    });
  });
});
