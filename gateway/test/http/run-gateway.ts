// For tests: a gateway in the test's own process, and a client of its runs.

import { randomUUID } from 'node:crypto';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';
import type { WireData } from '../../src/runs/wire.ts';

export interface Served {
  url: string;
  app: FastifyInstance;
  broker: MemoryBroker;
}

const open: Served[] = [];
afterEach(async () => {
  for (const { app, broker } of open.splice(0)) {
    app.server.closeAllConnections(); // a client that left may have connected anew, to no purpose
    await app.close();
    await broker.close();
  }
});

/** Models that do not answer within the time of a test. */
export const SILENT_MODELS_MS = 10_000;

/**
 * A gateway on a log in memory, closed after the test: without a rate limit unless `env` says otherwise, and with models
 * that take `tokenMs` per token.
 */
export async function serve(env: Record<string, string> = {}, tokenMs = 0): Promise<Served> {
  const config = readGatewayConfig({ RATE_LIMIT_PER_SECOND: '0', LOG_LEVEL: 'silent', ...env });
  const broker = new MemoryBroker(retentionPolicy(config));
  const app = createApp(config, broker, createLogger('test', 'silent', true), undefined, {
    simulator: { tokenMs },
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const served = { url, app, broker };
  open.push(served);
  return served;
}

export const id = () => `m-${randomUUID()}`;
export const post = (
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
) =>
  fetch(`${url}/api/process`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });

export interface Frame extends EventSourceMessage {
  json: WireData;
}

/** Reads frames until the response ends, or until `enough` returns true. */
export async function frames(
  response: Response,
  enough: (all: Frame[]) => boolean = () => false,
): Promise<Frame[]> {
  const all: Frame[] = [];
  const parser = createParser({
    onEvent: (event) => all.push({ ...event, json: JSON.parse(event.data) as WireData }),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (enough(all)) break;
  }
  return all;
}

export const connections = (app: FastifyInstance) =>
  new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));

export const problem = async (response: Response) => {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const body = (await response.json()) as { status: number; code: string; field?: string; detail: string };
  expect(body.status).toBe(response.status);
  return body;
};
