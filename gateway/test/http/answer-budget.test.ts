// The budget for large answers, with real sockets: a request that finds too little left waits, and clients that are gone or
// read nothing hold nobody up.

import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { answerBudget } from '../../src/http/plugins/answer-budget.ts';
import { problems } from '../../src/http/plugins/problems.ts';

const MEGABYTE = 1_048_576;
const LARGE = 'x'.repeat(16 * MEGABYTE);

let app: FastifyInstance;
afterEach(() => app.close());

interface Made {
  name: string;
  finish(): void;
}

/** A gateway with a budget for one answer at a time. The test finishes its answers; `/large` is larger than any socket's buffer. */
async function open(stallMs = 0) {
  app = fastify({ forceCloseConnections: true });
  const making: Made[] = [];
  problems(app);
  const asked = { count: 0 };
  app.addHook('onRequest', async () => void asked.count++);
  answerBudget(app, stallMs, MEGABYTE);
  const options = { config: { answerBytes: MEGABYTE } };
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

it('refuses with a code and `Retry-After` if too many requests wait', async () => {
  const { url, port, begun, asked } = await open();
  const holder = ask(port, '/a');
  await begun('a');
  const crowd = ask(port, ...Array.from({ length: 500 }, (_, i) => `/w${i}`));
  await eventually('all have asked', () => asked.count === 501);
  const response = await fetch(`${url}/one-more`);
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('2');
  expect(await response.json()).toMatchObject({ code: 'too_many_answers' });
  holder.destroy();
  crowd.destroy();
});
