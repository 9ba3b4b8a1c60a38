// What a stream keeps in memory of the request that began it: a viewer is to cost little more than its socket.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { start } from './stream-gateway.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const responses: WeakRef<ServerResponse>[] = [];
const requests: WeakRef<IncomingMessage>[] = [];
const remember = (message: unknown) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  responses.push(new WeakRef(response));
  requests.push(new WeakRef(request));
};
afterEach(() => unsubscribe('http.server.request.start', remember));

/** Node keeps a parsed form of the headers on the request from the first time that somebody asks for it. */
const parsedHeaders = (request: object) =>
  Object.getOwnPropertySymbols(request)
    .filter(({ description }) => description === 'kHeadersDistinct')
    .map((symbol) => (request as Record<symbol, unknown>)[symbol])
    .filter((value) => value !== null);

it('a stream keeps neither its response nor the distinct headers of its request', async () => {
  const gateway = await start();
  subscribe('http.server.request.start', remember);
  for (let i = 0; i < 20; i++) await (await gateway.view('channels=a')).saw('live');
  expect(responses).toHaveLength(20);
  await eventually('the responses are collected', () => {
    collectGarbage();
    return responses.every((response) => response.deref() === undefined);
  });
  for (const request of requests.map((ref) => ref.deref()))
    if (request) expect(parsedHeaders(request)).toEqual([]);
});
