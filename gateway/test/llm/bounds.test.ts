// A service that sends without end does not fill the memory: the gateway closes the connection at a bound.

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { boundedResponse } from '../../src/llm/answer-body.ts';
import { ChunkReader } from '../../src/llm/chunk-reader.ts';
import { ProviderModel } from '../../src/llm/provider.ts';
import { ask, collect, timeoutsFor } from './collect.ts';

const MIB = 2 ** 20;
/** Far beyond every bound: only a service whose connection is never closed sends as much. */
const ENDLESS = 512 * MIB;
const HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n';

const nested = (levels: number) =>
  `data: {"choices":[{"index":0,"delta":{"content":""}}],"x":${'['.repeat(levels)}${']'.repeat(levels)}}\n\n`;
const crowded = (choices: number) => `data: {"choices":[${'{"index":1},'.repeat(choices)}{}]}\n\n`;

interface Endless {
  status?: number;
  type?: string;
  start?: string;
  /** The part that is repeated without end. */
  again: string;
}

/** Resolves when `response` accepts more, or has been closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** Serves `endless`, and counts the bytes until the connection is closed. */
async function serve({ status = 200, type = 'text/event-stream', start = '', again }: Endless) {
  const piece = Buffer.from(again.repeat(Math.ceil(65_536 / again.length)));
  const sent = { bytes: 0, isCutOff: false };
  const pump = async (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': type });
    response.write(start);
    while (!response.destroyed && sent.bytes < ENDLESS) {
      sent.bytes += piece.length;
      if (!response.write(piece)) await drained(response);
    }
    sent.isCutOff = response.destroyed;
    response.end();
  };
  const server: Server = createServer((_, response) => void pump(response)).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  onTestFinished(() => void server.close());
  return { sent, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

describe('a service that never ends', () => {
  it.each<[string, Endless, string, string]>([
    ['a line', { start: `${HELLO}data: `, again: 'a' }, 'llm_too_long', 'hello'],
    ['an event', { start: HELLO, again: 'data: a\n' }, 'llm_too_long', 'hello'],
    ['a JSON object', { type: 'application/json', start: '{"a":"', again: 'a' }, 'llm_too_long', ''],
    ['blanks', { again: ' ' }, 'llm_too_long', ''],
    ['an error', { status: 400, type: 'application/json', again: '{"error":' }, 'llm_rejected', ''],
    ['an error of its own', { status: 503, type: 'text/html', again: '<p>' }, 'llm_unavailable', ''],
    ['levels', { start: HELLO, again: nested(10_000) }, 'llm_invalid_response', 'hello'],
    ['choices', { start: HELLO, again: crowded(20_000) }, 'llm_invalid_response', 'hello'],
    ['a redirect', { status: 302, again: 'a' }, 'llm_invalid_response', ''],
  ])('%s is cut off', async (_, endless, code, text) => {
    const { sent, baseUrl } = await serve(endless);
    const collected = await collect(new ProviderModel(timeoutsFor()), ask({ baseUrl }));
    expect(collected.error?.code).toBe(code);
    expect(collected.text).toBe(text);
    await eventually('the connection is closed', () => sent.isCutOff);
    expect(sent.bytes).toBeLessThan(32 * MIB); // the system's own buffers hold some
  });

  it.each<[string, Endless]>([
    ['comments', { start: HELLO, again: ': still there\n\n' }],
    ['a comment', { start: `${HELLO}: `, again: 'a' }],
    ['a field that nobody knows', { start: `${HELLO}x`, again: 'a' }],
    ['chunks without text', { start: HELLO, again: 'data: {"choices":[]}\n\n' }],
  ])('%s is cut off in time', async (_, endless) => {
    const { sent, baseUrl } = await serve(endless);
    const model = new ProviderModel({ firstContentMs: 15_000, chunkMs: 500 });
    const collected = await collect(model, ask({ baseUrl }));
    expect(['llm_stalled', 'llm_too_long']).toContain(collected.error?.code);
    expect(collected.text).toBe('hello');
    await eventually('the connection is closed', () => sent.isCutOff);
  });
});

it.each([
  ['comments', ': ping\n'],
  ['empty lines', '\n'],
  ['events', HELLO],
])('others have their turns while %s are read', async (_, line) => {
  const piece = Buffer.from(HELLO + line.repeat(65_536 / line.length));
  let left = 100;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(piece) : controller.close()),
  });
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await (await boundedResponse(new Response(body), new ChunkReader())).text();
  isOver = true;
  expect(turns).toBeGreaterThan(3);
});

it('a beginning of blanks that comes byte by byte is searched once', async () => {
  const blanks = 2_000;
  let left = blanks;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(Buffer.from(' ')) : controller.close()),
  });
  const exec = vi.spyOn(RegExp.prototype, 'exec');
  onTestFinished(() => exec.mockRestore());
  await (await boundedResponse(new Response(body), new ChunkReader())).text();
  const searched = exec.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
  expect(searched).toBeGreaterThanOrEqual(blanks);
  expect(searched).toBeLessThan(2 * blanks);
});
