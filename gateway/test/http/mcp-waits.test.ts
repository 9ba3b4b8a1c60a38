// How many calls may wait at a time: a client with many leaves places for the others, and gives back what it leaves.

import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { MAX_WAITS } from '../../src/mcp/waits.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
});

/** A wait that ends with its connection, from an address of this machine. */
function wait({ port }: TestGateway, address: string, channels = 'logs', seconds = 25) {
  const asked = request({
    port,
    host: '127.0.0.1',
    localAddress: address,
    agent: false,
    method: 'POST',
    path: '/mcp',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  asked.on('response', (response: IncomingMessage) => text(response).then(resolve, reject));
  asked.on('error', reject);
  promise.catch(() => {}); // most are cut off
  const params = { name: 'wait_for_entries', arguments: { channels, wait: seconds } };
  asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  return { answer: promise, leave: () => asked.destroy() };
}

const isFull = async (gateway: TestGateway, address: string) =>
  (await wait(gateway, address, 'logs', 0).answer).includes('too_many_waits: ');

it('one client gets half of the places, the next one half of the others, and what they leave is free again', async () => {
  const gateway = await openGateway();
  open.push(gateway);
  const begin = async (address: string, count: number) => {
    const begun = Array.from({ length: count }, () => wait(gateway, address));
    await eventually(`the places of ${address}`, () => isFull(gateway, address));
    return begun;
  };
  const first = await begin('127.0.0.1', MAX_WAITS / 2);
  const second = await begin('127.0.0.2', MAX_WAITS / 4);
  expect(await isFull(gateway, '127.0.0.3')).toBe(false);
  for (const { leave } of [...first, ...second]) leave();
  await eventually('all places are free', async () => !(await isFull(gateway, '127.0.0.1')));
  await eventually('no view is left', async () => (await gateway.health()).views === 0);
});

it('waits share the views of the process, and its limits of connections', async () => {
  const gateway = await openGateway({ MAX_VIEWS: '1', MAX_CONNECTIONS: '2' });
  open.push(gateway);
  const first = wait(gateway, '127.0.0.1', 'logs:a');
  await eventually('it waits', async () => (await gateway.health()).views === 1);
  expect(await wait(gateway, '127.0.0.1', 'logs:b', 0).answer).toContain('too_many_views: ');
  expect(await wait(gateway, '127.0.0.1', 'logs:a', 0).answer).toContain('No entries of logs:a');
  const second = wait(gateway, '127.0.0.1', 'logs:a');
  await eventually('both wait', async () =>
    (await wait(gateway, '127.0.0.1', 'logs:a', 0).answer).includes('over_limit: '),
  );
  first.leave();
  second.leave();
});

it('hundreds of searches at a time are all answered', async () => {
  const gateway = await openGateway();
  open.push(gateway);
  const search = async () => {
    const params = { name: 'search_entries', arguments: { q: 'nothing', since: '1d' } };
    const answer = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    });
    return answer.text();
  };
  const all = Array.from({ length: 200 }, search);
  const [answers, health] = await Promise.all([Promise.all(all), gateway.health()]);
  expect(health.status).toBe('ok');
  for (const answer of answers) expect(answer).toMatch(/No entries of \*|too_many_answers: /);
});
