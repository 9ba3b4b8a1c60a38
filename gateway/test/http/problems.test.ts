// Whatever a client sends, the answer is a problem with a code, never a 500 and never an exception's text.
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

/** Sends bytes as they are and gives all that comes back: clients normalize what we want to try. */
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
          // HEAD, so that a query that happens to be right opens no stream.
          const answer = await get(path, 'HEAD');
          expect(answer).toMatch(/^HTTP\/1.1 [234]\d\d /);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('requests that are no HTTP', () => {
  it.each([
    ['no method', 'hello\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n'],
    [
      'two lengths',
      'POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    ],
    ['a header of 40 kB', `GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`],
    [
      'a length and chunks',
      'POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('%s is answered with a 4xx and closed', async (_, request) => {
    const answer = await raw(request);
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
  });

  it('it serves on after all that', async () => {
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});
