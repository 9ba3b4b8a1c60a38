// The budget for large answers, with real sockets: a request that finds too little left waits, and clients that are gone or
// read nothing hold nobody up.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { answerBudget, ROOMS, SMALL_ANSWER } from '../../src/http/plugins/answer-budget.ts';
import { problems } from '../../src/http/plugins/problems.ts';

const LARGE = Buffer.alloc(16 * SMALL_ANSWER);

let app: FastifyInstance;
afterEach(() => app.close());

interface Made {
  name: string;
  finish(): void;
}

/** A gateway with room for one answer unless said otherwise, whose answers are finished by hand; `/large` are too large for any socket's buffer. */
async function open(stallMs = 0, rooms = { small: SMALL_ANSWER, large: 2 * SMALL_ANSWER }) {
  app = fastify({ forceCloseConnections: true });
  const making: Made[] = [];
  problems(app);
  const asked = { count: 0 };
  app.addHook('onRequest', async () => void asked.count++);
  answerBudget(app, stallMs, rooms);
  const options = { config: { answerBytes: 2 * SMALL_ANSWER } };
  app.get('/small', { config: { answerBytes: SMALL_ANSWER } }, async () => 'small');
  app.get('/large', options, async () => LARGE);
  app.get<{ Params: { name: string } }>('/:name', options, async ({ params: { name } }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    making.push({ name, finish: resolve });
    await promise;
    return name;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const begun = (name: string) => eventually(name, () => making.find((made) => made.name === name));
  return { url: `http://127.0.0.1:${port}`, port, making, begun, asked };
}

const STRANGER = '127.0.0.2';

const ask = (port: number, ...paths: string[]) => {
  const socket = connect(port, '127.0.0.1').pause();
  socket.on('error', () => undefined); // it may be closed under the answer
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''));
  return socket;
};

it('makes one answer after another, in the order of the requests, if the budget is for one', async () => {
  const { url, making, begun } = await open();
  const first = fetch(`${url}/first`);
  await begun('first');
  const second = fetch(`${url}/second`);
  await expect(fetch(`${url}/unknown/path`)).resolves.toMatchObject({ status: 404 }); // small answers need no budget
  expect(making.map(({ name }) => name)).toEqual(['first']);
  (await begun('first')).finish();
  expect(await (await first).text()).toBe('first');
  (await begun('second')).finish();
  expect(await (await second).text()).toBe('second');
});

it('forgets clients that are gone: while they wait, while their answer is made, and with pipelined requests', async () => {
  const { url, port, making, begun, asked } = await open();
  const sockets = [ask(port, '/a', '/b')];
  await begun('a');
  sockets.push(ask(port, '/c'));
  await eventually('all have asked', () => asked.count === 3);
  for (const socket of sockets) socket.destroy();
  const last = fetch(`${url}/last`);
  (await begun('last')).finish();
  expect((await last).status).toBe(200);
  expect(making.map(({ name }) => name)).not.toContain('b');
});

it('closes an answer that its client does not read if another request waits for its bytes', async () => {
  const { url, port, begun } = await open();
  const silent = ask(port, '/large');
  const closed = once(silent, 'close');
  await once(silent, 'readable');
  const waiting = fetch(`${url}/next`);
  (await begun('next')).finish();
  expect((await waiting).status).toBe(200);
  silent.resume();
  await closed;
  expect(silent.bytesRead).toBeLessThan(LARGE.length);
});

it('closes an answer of which its client reads nothing for `stallMs`', async () => {
  const { port } = await open(300);
  const silent = ask(port, '/large');
  await once(silent, 'readable');
  await eventually('the connection is closed', async () => {
    return (
      (await new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)))) === 0
    );
  });
  silent.destroy();
});

/** The whole answer, asked for from an address of one's own. */
const fetchFrom = async (localAddress: string, url: string) => {
  const request = get(url, { localAddress, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
};

it('serves clients in turn, and each connection one request at a time', async () => {
  const { url, port, making, begun, asked } = await open();
  const crowd = [ask(port, '/a', '/a2', '/a3'), ask(port, '/b', '/b2'), ask(port, '/c')];
  await eventually('all have asked', () => asked.count === 6);
  const stranger = fetchFrom(STRANGER, `${url}/stranger`);
  await eventually('the stranger has asked', () => asked.count === 7);
  for (const name of ['a', 'b', 'stranger', 'c', 'a2']) (await begun(name)).finish();
  expect((await stranger).body).toBe('stranger');
  await begun('b2');
  expect(making.map(({ name }) => name)).toEqual(['a', 'b', 'stranger', 'c', 'a2', 'b2']);
  for (const socket of crowd) socket.destroy();
});

it('refuses with a code what one connection sends too far ahead, and answers the rest', async () => {
  const { url, port, begun, asked } = await open();
  const holder = ask(port, '/a');
  await begun('a');
  const crowd = ask(port, ...Array.from({ length: 500 }, (_, i) => `/w${i}`)).resume();
  await eventually('all have asked', () => asked.count === 501);
  const last = fetch(`${url}/last`);
  await eventually('the last has asked', () => asked.count === 502);
  holder.destroy();
  (await begun('w0')).finish();
  (await begun('last')).finish();
  expect((await last).status).toBe(200);
  crowd.destroy();
});

it('refuses the client that waits for most where too many wait', async () => {
  const { url, port, begun, asked } = await open();
  const holder = ask(port, '/a');
  await begun('a');
  const crowd = Array.from({ length: 499 }, () => ask(port, '/w'));
  await eventually('all have asked', () => asked.count === 500);
  const refused = fetchFrom('127.0.0.1', `${url}/refused`);
  await eventually('the last of the crowd has asked', () => asked.count === 501);
  const stranger = fetchFrom(STRANGER, `${url}/stranger`);
  const { status, headers, body } = await refused;
  expect([status, headers['retry-after'], JSON.parse(body).code]).toEqual([503, '2', 'too_many_answers']);
  holder.destroy();
  (await begun('w')).finish();
  (await begun('stranger')).finish();
  expect((await stranger).status).toBe(200);
  for (const socket of crowd) socket.destroy();
});

/** A dozen clients at 127.0.0.1 that ask ahead and take nothing; each comes again when it was closed. Ends with the returned function. */
const attack = async (port: number) => {
  const sockets = new Map<number, Socket>();
  let isOver = false;
  const begin = () => {
    const socket = ask(port, ...Array.from({ length: 30 }, () => '/large'));
    socket.once('connect', () => sockets.set(socket.localPort as number, socket));
  };
  app.server.on('connection', (socket) => {
    const { remotePort = 0 } = socket;
    socket.once('close', () => {
      sockets.get(remotePort)?.destroy();
      if (sockets.delete(remotePort) && !isOver) begin();
    });
  });
  for (let i = 0; i < 12; i++) begin();
  await eventually('all are connected', () => sockets.size === 12);
  return () => {
    isOver = true;
    for (const socket of sockets.values()) socket.destroy();
  };
};

it.each(['127.0.0.1', STRANGER])(
  'answers %s while others take nothing of what they ask for',
  async (address) => {
    const { url, port } = await open(0, ROOMS);
    const end = await attack(port);
    for (const path of ['/small', '/large', '/small', '/large'])
      expect((await fetchFrom(address, url + path)).status, path).toBe(200);
    end();
  },
);
