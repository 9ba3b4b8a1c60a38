// For tests: gateways whose agent has the tools of the test, on a log in memory or in Redis, and a client of them.

import { randomUUID } from 'node:crypto';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import type { FastifyInstance } from 'fastify';
import { afterEach } from 'vitest';
import type { AgentLimits } from '../../src/agents/agent.ts';
import type { AgentData } from '../../src/agents/wire.ts';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { member } from '../http/owned-gateway.ts';
import { type Frame, frames } from '../http/run-gateway.ts';
import type { TestToolbox } from './test-toolbox.ts';

export interface AgentGateway {
  url: string;
  broker: Broker;
  app: FastifyInstance;
  ask(path: string, body?: unknown, init?: RequestInit & { who?: string }): Promise<Response>;
  close(): Promise<void>;
}

const open: AgentGateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
});

const LIMITS: AgentLimits = { steps: 8, calls_per_step: 8, calls: 24, same_call: 3, timeout_ms: 60_000 };
const PEOPLE = {
  alice: member('alice'),
  bob: member('bob'),
  root: member('root', { admin: true, read: ['runs:*'] }),
};

export interface AgentGatewayOptions {
  env?: Record<string, string>;
  /** A fault of the simulator, such as `sim-tool-loop`. */
  model?: string;
  limits?: Partial<AgentLimits>;
  /** Patterns of the tools that the agent may have; all by default. */
  patterns?: string[];
  tokenMs?: number;
}

export async function agentGateway(
  toolbox: TestToolbox,
  { env = {}, model, limits, patterns = ['*'], tokenMs = 0 }: AgentGatewayOptions = {},
): Promise<AgentGateway> {
  const config = readGatewayConfig({ RATE_LIMIT_PER_SECOND: '0', LOG_LEVEL: 'silent', ...env });
  const { REDIS_URL: url, NAMESPACE: namespace } = config;
  const broker = url
    ? new RedisBroker({ url, namespace, retention: retentionPolicy(config) })
    : new MemoryBroker(retentionPolicy(config));
  if (broker instanceof RedisBroker) await broker.open(30_000);
  const agent = {
    name: 'helper',
    system: 'Help.',
    tools: patterns,
    limits: { ...LIMITS, ...limits },
    ...(model !== undefined && { model }),
  };
  const app = createApp(config, broker, createLogger('test', 'silent', true), undefined, {
    simulator: { tokenMs, chunkTokens: 8 },
    agents: { agents: { current: { agents: [agent], version: 'test' } }, toolbox },
    credentials: {
      bearer: { apiKey: { principalOf: async (key) => PEOPLE[key.slice(4) as keyof typeof PEOPLE] } },
    },
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const gateway: AgentGateway = {
    url: address,
    broker,
    app,
    ask: (path, body, { who, ...init } = {}) =>
      fetch(`${address}${path}`, {
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
        ...init,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(who !== undefined && { authorization: `Bearer lls_${who}` }),
          ...init.headers,
        },
      }),
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
      await broker.close();
    },
  };
  open.push(gateway);
  return gateway;
}

export type AgentFrame = Omit<Frame, 'json'> & { json: AgentData };

/** Asks the agent, and reads the stream to its end, or until `enough` returns true. */
export async function chat(
  gateway: AgentGateway,
  userMessage: string,
  more: Record<string, unknown> = {},
  enough?: (all: AgentFrame[]) => boolean,
): Promise<AgentFrame[]> {
  const response = await gateway.ask('/agents/chat-stream', { userMessage, ...more });
  return (await frames(response, enough as never)) as unknown as AgentFrame[];
}

export const named = (all: readonly AgentFrame[]) =>
  all.map(({ event, json }) => (event === 'thinking' ? json.status : event));
export const answer = (all: readonly AgentFrame[]) => all.map(({ json }) => json.chunk ?? '').join('');
export const withStatus = (all: readonly AgentFrame[], status: string) =>
  all.filter(({ json }) => json.status === status).map(({ json }) => json);
export const freshId = () => `m-${randomUUID()}`;

export async function entriesOf(broker: Broker, channel: string): Promise<Entry[]> {
  const page = await broker.readPage({ channels: [channel], after: BEGINNING, limit: 1_000 });
  return page.items.flatMap(({ record }) => (record ? [record.entry] : []));
}
