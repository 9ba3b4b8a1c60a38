// Bodies that never end, sent by one client over many connections: it is refused in time, and others are not.

import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { start } from './stream-gateway.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Sends the head of a POST and `body`, which is not all of it. Resolves with the answer, if there is one. */
const hold = (url: string, path: string, header: string, body: Buffer): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => {}); // it is cut off after its answer
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n${header}\r\n\r\n`,
  );
  socket.write(body);
  return new Promise((resolve) => socket.once('data', (data) => resolve(`${data}`)));
};

const holdDeclared = (url: string, path: string) =>
  hold(url, path, 'Content-Length: 1048000', Buffer.from('{'));

const holdChunked = (url: string, path: string) => {
  const bytes = 4_000_000;
  const chunk = [`${bytes.toString(16)}\r\n`, ' '.repeat(bytes), '\r\n'].join('');
  return hold(url, path, 'Transfer-Encoding: chunked', Buffer.from(chunk));
};

const post = async (url: string, path: string, body: unknown, localAddress?: string) => {
  const headers = { 'content-type': 'application/json' };
  const sent: ClientRequest = request(`${url}${path}`, {
    ...{ method: 'POST', headers, agent: false },
    ...(localAddress && { localAddress }),
  });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, text: await text(response) };
};

const LOGS = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'x' } }] }] }] };
const ENTRY = { channel: 'logs:a', msg: 'x' };

/** Forty of them, of which a client may hold no more than 32 MiB. Resolves with the answers as soon as eight are refused. */
const refusals = async (holdOne: () => Promise<string>): Promise<string[]> => {
  const answers: string[] = [];
  for (let i = 0; i < 40; i++)
    holdOne()
      .then((answer) => answers.push(answer))
      .catch(() => {});
  await expect.poll(() => answers.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);
  return answers;
};

it('bodies that never end are refused beyond a share of the memory, and others are not', async () => {
  const { url } = await start();
  const large = { ...ENTRY, msg: 'x'.repeat(60_000) };
  const answers = await refusals(() => holdDeclared(url, '/api/publish'));
  expect(answers.map((answer) => answer.slice(0, 12))).toEqual(
    Array.from({ length: 8 }, () => 'HTTP/1.1 503'),
  );
  expect(await post(url, '/api/publish', large)).toMatchObject({
    status: 503,
    text: expect.stringContaining('too_much_arriving'),
  });
  expect((await post(url, '/api/publish', ENTRY, '127.0.0.2')).status).toBe(200);
  expect((await post(url, '/v1/logs', LOGS, '127.0.0.2')).status).toBe(200);
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(async () => (await post(url, '/api/publish', large)).status).toBe(200);
});

it('bodies that do not say how long they are count as they come', async () => {
  const { url } = await start();
  for (const answer of await refusals(() => holdChunked(url, '/v1/logs')))
    expect(answer).toMatch(/^HTTP\/1.1 503 /);
  expect((await post(url, '/v1/logs', LOGS, '127.0.0.2')).status).toBe(200);
});

it('a body that is too large for its route is refused as such, whatever it says of its length', async () => {
  const { url } = await start();
  const answer = await hold(url, '/api/process', 'Content-Length: 99000000000', Buffer.from('{'));
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
});

it('a body that is answered takes nothing any more, over the same connection', async () => {
  const { url } = await start();
  const body = JSON.stringify({ ...ENTRY, msg: 'x'.repeat(1_000_000) });
  for (let i = 0; i < 40; i++) {
    const response = await fetch(`${url}/api/publish`, { method: 'POST', body });
    expect([response.status, typeof (await response.json())]).toEqual([200, 'object']);
  }
});
