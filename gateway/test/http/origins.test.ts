// The gateway answers to known host names only, and takes changes only from its own page and from origins that are allowed.

import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';

let gateway: TestGateway;
afterEach(() => gateway.close());

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Uses node:http, because fetch does not let a test choose Host and Origin. */
const ask = (
  headers: Record<string, string>,
  { method = 'GET', path = '/api/channels', body = '' } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const asked = request(`${gateway.url}${path}`, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (path.startsWith('/stream')) response.destroy();
      });
      response.on('close', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    asked.on('error', reject).end(body);
  });

describe('hosts', () => {
  it('answers to localhost and its addresses with any port, and to no other name', async () => {
    gateway = await openGateway();
    for (const host of ['localhost', 'LOCALHOST', 'localhost:8000', '127.0.0.1:1', '[::1]', '[::1]:8000'])
      expect((await ask({ host })).status, host).toBe(200);
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example:8000',
      'localhost:80:80',
      '::1',
    ])
      expect((await ask({ host })).status, host).toBe(403);
  });

  it('answers probes and scrapes by any address of its pod, and nothing else so', async () => {
    gateway = await openGateway();
    for (const host of ['10.244.1.7:8000', '192.168.0.9', '[fd00::7]:8000'])
      for (const path of ['/healthz', '/readyz', '/metrics'])
        expect((await ask({ host }, { path })).status, `${host}${path}`).toBe(200);
    for (const host of ['evil.example', '10.244.1.7.evil.example', 'fd00::7', '[evil]', '10.244.1'])
      expect((await ask({ host }, { path: '/readyz' })).status, host).toBe(403);
    for (const path of ['/', '/api/channels', '/sse/health', '/stream?channels=logs'])
      expect((await ask({ host: '10.244.1.7:8000' }, { path })).status, path).toBe(403);
  });

  it('answers to names the operator adds, and to any for *', async () => {
    gateway = await openGateway({ AUTH: 'off', ALLOWED_HOSTS: 'Logs.example, fe80::1, board.example:8000' });
    expect((await ask({ host: 'board.example:8000' })).status).toBe(200);
    expect((await ask({ host: 'logs.example:443' })).status).toBe(200);
    expect((await ask({ host: '[FE80::1]:8000' })).status).toBe(200);
    expect((await ask({ host: 'other.example' })).status).toBe(403);
    await gateway.close();
    gateway = await openGateway({ AUTH: 'off', ALLOWED_HOSTS: '*' });
    expect((await ask({ host: 'anything.example' })).status).toBe(200);
  });

  it.each([
    ['without Host by HTTP/1.0', '1.0', [], 403, 'host_forbidden'],
    ['without Host', '1.1', [], 400, 'invalid_header'],
    ['with two Hosts', '1.1', ['localhost', 'evil.example'], 400, 'invalid_header'],
    ['with the same Host twice', '1.1', ['localhost', 'localhost'], 400, 'invalid_header'],
  ])('a request %s is refused, and ends its connection', async (_, version, hosts, status, code) => {
    gateway = await openGateway({ AUTH: 'off', ALLOWED_HOSTS: status === 400 ? '*' : '' });
    const socket = connect(gateway.port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    socket.write(
      `GET /api/channels HTTP/${version}\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}\r\n`,
    );
    await once(socket, 'close');
    expect(heard).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(heard).toContain(`"code":"${code}"`);
  });

  it('holds for streams and the page too', async () => {
    gateway = await openGateway();
    for (const path of ['/', '/stream', '/healthz', '/nothing'])
      expect((await ask({ host: 'evil.example' }, { path })).status, path).toBe(403);
  });
});

describe('origins', () => {
  const write = { method: 'POST', path: '/api/publish', body: '{"channel":"a","msg":"x"}' };

  it('only the page itself and clients without an origin may write', async () => {
    gateway = await openGateway();
    const host = `localhost:${gateway.port}`;
    expect((await ask({ host }, write)).status).toBe(200);
    expect((await ask({ host, origin: `http://${host}` }, write)).status).toBe(200);
    for (const origin of ['http://evil.example', 'http://localhost:1', 'null', 'http://', '']) {
      const { status, body } = await ask({ host, origin }, write);
      expect(status, origin).toBe(403);
      expect(JSON.parse(body)).toMatchObject({ code: 'origin_forbidden' });
    }
    expect(await gateway.broker.readPage({ channels: ['a'], after: 0, limit: 10 })).toMatchObject({
      items: { length: 2 },
    });
  });

  it('another site gets no leave to read, on streams and errors neither', async () => {
    gateway = await openGateway();
    const headers = { host: 'localhost', origin: 'http://evil.example' };
    for (const path of ['/api/channels', '/stream', '/stream?level=loud', '/nothing']) {
      const answer = await ask(headers, { path });
      expect(answer.headers['access-control-allow-origin'], path).toBeUndefined();
    }
    const asked = { ...headers, 'access-control-request-method': 'POST' };
    const preflight = await ask(asked, { method: 'OPTIONS', path: '/api/publish' });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
    expect(preflight.status).toBeGreaterThanOrEqual(400);
  });

  it('an opened origin may read and write, streams and errors included', async () => {
    const origin = 'https://board.example';
    gateway = await openGateway({ CORS_ORIGINS: `${origin},http://two.example` });
    const headers = { host: 'localhost', origin };
    for (const path of ['/api/channels', '/stream', '/stream?level=loud', '/nothing']) {
      const answer = await ask(headers, { path });
      expect(answer.headers, path).toMatchObject({
        'access-control-allow-origin': origin,
        vary: expect.stringContaining('origin'),
      });
    }
    expect((await ask(headers, write)).status).toBe(200);
    const asked = {
      ...headers,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'prefer,publisher-id',
    };
    const preflight = await ask(asked, { method: 'OPTIONS', path: '/api/publish' });
    expect(preflight).toMatchObject({ status: 204, headers: { 'access-control-allow-origin': origin } });
    const allowed = `${preflight.headers['access-control-allow-headers']}`.split(', ');
    for (const header of ['content-type', 'last-event-id', 'prefer', 'publisher-id', 'publisher-seq'])
      expect(allowed).toContain(header);
    expect((await ask({ ...headers, origin: 'https://board.example.evil' }, write)).status).toBe(403);
  });
});
