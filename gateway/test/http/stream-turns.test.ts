// However many viewers come at once, whatever else the process does waits for a few of them only.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { streamTurns } from '../../src/http/plugins/stream-turns.ts';

const CLIENTS = 200;
const REQUEST = 'GET /stream?tail=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

let app: FastifyInstance;
let clients: Socket[];
let answered: number;

beforeEach(async () => {
  answered = 0;
  app = fastify();
  app.get('/stream', async () => `${++answered}`);
  app.get('/other', async () => 'other');
  streamTurns(app, '/stream');
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  clients = Array.from({ length: CLIENTS }, () => connect(port, '127.0.0.1'));
  while ((await connected()) < CLIENTS) await round();
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await app.close();
});

const round = () => new Promise((resolve) => setImmediate(resolve));
const connected = () =>
  new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));

it('begins a few streams in each round of the event loop, and all of them', async () => {
  const perRound: number[] = [];
  const ended = Promise.all(clients.map((client) => once(client.resume(), 'end')));
  for (const client of clients) client.write(REQUEST);
  for (let before = 0; answered < CLIENTS; before = answered) {
    await round();
    perRound.push(answered - before);
  }
  await ended;
  expect(Math.max(...perRound)).toBeLessThanOrEqual(CLIENTS / 4);
});

it('lets nothing wait that is no stream: all pipelined requests are answered, though their client ends at once', async () => {
  const [client] = clients as [Socket];
  let heard = '';
  client.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  client.end('GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(CLIENTS));
  await once(client, 'end');
  expect(heard.match(/HTTP\/1\.1 200/g)).toHaveLength(CLIENTS);
});
