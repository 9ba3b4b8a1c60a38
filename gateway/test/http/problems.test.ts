// Every wrong request is answered with a problem that has a code, never with 500 and never with the text of an exception.
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

/** Sends bytes as they are and returns all that comes back. HTTP clients would correct the requests that are tested here. */
const raw = async (request: string): Promise<string> => {
  const socket = connect(gateway.port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', () => {}); // the server may close before it has read all
  socket.write(request);
  await once(socket, 'close');
  return heard;
};

const get = (path: string, method = 'GET') =>
  raw(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);

const PROBLEM = /content-type: application\/problem\+json/i;

describe('paths', () => {
  it.each(['/%', '/%ff', '/api/%zz', '/stream/%c0%af'])('%s is a problem, not a failure', async (path) => {
    const answer = await get(path);
    expect(answer).toMatch(/^HTTP\/1.1 40[04] /);
    expect(answer).toMatch(PROBLEM);
  });

  it.each([
    '/../package.json',
    '/../../etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/%2e%2e/%2e%2e/package.json',
    '/assets/../../src/main.tsx',
    '/assets/..%5c..%5cpackage.json',
    '//etc/passwd',
    '/index.html%00.js',
    '/.env',
  ])('%s leads to no file', async (path) => {
    const answer = await get(path);
    expect(answer).toMatch(/^HTTP\/1.1 40[0-9] /);
    expect(answer).toMatch(PROBLEM);
    expect(answer).not.toMatch(/root:|"name"/);
  });

  it.each([
    ['POST', '/stream', 'GET, HEAD'],
    ['DELETE', '/api/entries', 'GET, HEAD'],
    ['OPTIONS', '/stream', 'GET, HEAD'],
    ['GET', '/api/publish', 'POST'],
    ['HEAD', '/api/publish', 'POST'],
    ['PUT', '/api/publish', 'POST'],
  ])('%s %s answers 405 and what is allowed', async (method, path, allow) => {
    const answer = await get(path, method);
    expect(answer).toMatch(/^HTTP\/1.1 405 /);
    expect(answer).toMatch(new RegExp(`allow: ${allow}`, 'i'));
    expect(answer).toMatch(PROBLEM);
  });

  it.each([
    ['GET', '/nothing'],
    ['POST', '/nothing'],
    ['POST', '/*'],
    ['POST', '/:a('],
    ['PATCH', '/api/runs/:id'],
  ])('%s %s answers 404', async (method, path) => {
    const answer = await get(path, method);
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect(answer).toMatch(PROBLEM);
  });

  it('a large body for none of them is refused before it is parsed', async () => {
    const body = `{${Array.from({ length: 30_000 }, (_, i) => `"${i}":1`).join()}}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${gateway.url}/api/nothing`, { method: 'POST', headers, body });
    expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'body_too_large' }]);
  });

  it('no path and no query makes the gateway fail', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '..',
        '%2e',
        '%00',
        '%',
        '%ff',
        '?',
        '&',
        '=',
        ',',
        '*',
        '#',
        'stream',
        'api',
        'entries',
        'channels',
        'tail',
        'since',
        'runs',
        ':id',
        '-',
        '1',
      ),
      fc.string({ unit: 'binary-ascii', maxLength: 5 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('/stream?', '/api/entries?', '/api/', '/'),
        fc.array(piece, { maxLength: 8 }),
        async (start, rest) => {
          const path = (start + rest.join('')).replaceAll(/[^\x21-\x7e]/g, '');
          // The method is HEAD, so that a query that happens to be valid opens no stream.
          const answer = await get(path, 'HEAD');
          expect(answer).toMatch(/^HTTP\/1.1 [234]\d\d /);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('requests that are no HTTP', () => {
  const head = (method: string, ...lines: string[]) =>
    `${[`${method} HTTP/1.1`, 'Host: localhost', ...lines].join('\r\n')}\r\n\r\n`;
  const post = (...lines: string[]) => `${head('POST /api/publish', ...lines)}{}`;

  it.each([
    ['no method', 'hello\r\n\r\n', 400, 'malformed_request'],
    ['a header without a colon', head('GET /', 'broken'), 400, 'malformed_request'],
    ['two lengths', post('Content-Length: 2', 'Content-Length: 3'), 400, 'invalid_header'],
    ['a length that is no number', post('Content-Length: many'), 400, 'invalid_header'],
    ['a negative length', post('Content-Length: -1'), 400, 'invalid_header'],
    ['a header of 100 kB', head('GET /', `x: ${'x'.repeat(100_000)}`), 431, 'headers_too_large'],
    ['a path of 100 kB', head(`GET /${'x'.repeat(100_000)}`), 431, 'headers_too_large'],
    [
      'a length and chunks',
      `${head('POST /api/publish', 'Content-Length: 2', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      400,
      'invalid_header',
    ],
  ])('%s is a problem with a code, and closed', async (_, request, status, code) => {
    const answer = await raw(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(PROBLEM);
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    expect(JSON.parse(body)).toMatchObject({ status, code });
    expect(answer).toMatch(new RegExp(`content-length: ${body.length}\r\n`, 'i'));
  });

  it('a body that is slow to arrive is cut as soon as its time is over', async () => {
    const app = createApp(readGatewayConfig({}), new MemoryBroker(), createLogger('gateway', 'silent', true));
    await app.listen({ host: '127.0.0.1', port: 0 });
    // Node applies the longer one of its two timeouts to the whole request.
    expect(app.server.headersTimeout).toBe(app.server.requestTimeout);
    app.server.headersTimeout = 100;
    app.server.requestTimeout = 100;
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(post('Content-Length: 100'));
    // By default Node checks only every 30 s, which would be too late for this test.
    await eventually('an answer', () => heard.includes('"code":"request_timeout"'), 15_000);
    expect(heard).toMatch(/^HTTP\/1.1 408 /);
    expect(heard).toMatch(PROBLEM);
    await app.close();
  });

  it('a hundred channels with names of 200 fit', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(200, ':'));
    const query = encodeURIComponent(names.join());
    const answer = await get(`/stream?channels=${query}`, 'HEAD');
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  });

  it('it serves on after all that', async () => {
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});

describe('while the gateway is stopping', () => {
  it('a request on an open connection is a problem too', async () => {
    const stopping = await openGateway();
    const viewer = await stopping.view();
    const socket = connect(stopping.port, '127.0.0.1');
    const closed = once(socket, 'close');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    const request = 'GET /api/channels HTTP/1.1\r\nHost: localhost\r\n\r\n';
    // The beginning of a second request is in the same write, so that the gateway has received it when it answers the first.
    socket.write(`${request}${request.slice(0, 20)}`);
    await eventually('an answer', () => heard.includes('{"channels"'));
    const stopped = stopping.stop();
    await viewer.saw('bye');
    socket.write(request.slice(20));
    await closed;
    await stopped;
    await stopping.broker.close();
    const [first = '', second = ''] = heard.split(/(?=HTTP\/1.1 )/);
    expect(first).toMatch(/^HTTP\/1.1 200 /);
    expect(second).toMatch(/^HTTP\/1.1 503 /);
    expect(second).toMatch(PROBLEM);
    expect(second).toMatch(/retry-after: \d/i);
    expect(second).toContain('"code":"shutdown"');
  });
});
