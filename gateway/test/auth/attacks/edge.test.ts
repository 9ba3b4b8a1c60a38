import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { createApp } from '../../../src/app.ts';
import { readGatewayConfig } from '../../../src/config.ts';
import { bearer } from '../people.ts';

import { codeOf, gateway, get, historyOf, LOGS, people, publish, raw, start, view } from './edge-gateway.ts';

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
      expect(new Set(answers)).toEqual(new Set(['401 unauthorized', '429 too_many_attempts']));
      expect(answers.at(-1)).toBe('429 too_many_attempts');
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

  it('what is public is read also where comparing it with the rights of whoever reads would take too long', async () => {
    const long = Array.from({ length: 100 }, (_, i) => `logs:${i}:${'x'.repeat(100)}`);
    await start(log, { AUTH_ANONYMOUS: long.join() });
    for (const channel of ['a:b1', ...long.slice(-1)])
      expect((await get(`/api/entries?channels=${channel}`, 'searching')).status).toBe(200);
    expect(await codeOf(await get('/api/entries?channels=logs', 'searching'))).toBe('403 channel_forbidden');
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
