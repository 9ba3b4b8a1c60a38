// For tests: gateways whose requests are made by different people. A key says who asks, so that the tests are about what each may
// do, whichever way he has signed in.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../../src/app.ts';
import { type Grants, ownPatterns, type Principal } from '../../src/auth/principal.ts';
import { readGatewayConfig } from '../../src/config.ts';

export interface OwnedGateway {
  url: string;
  broker: Broker;
  app: FastifyInstance;
  /** A request by `who`; '' for somebody without a key. */
  ask(who: string, path: string, init?: RequestInit): Promise<Response>;
  /** Begins a run of `who`, and resolves with the answer when it has begun. */
  begin(who: string, body: Record<string, unknown>): Promise<Response>;
  close(): Promise<void>;
}

/** A member of this name; with `more`, what a role or a share adds. */
export function member(owner: string, more: Partial<Grants> = {}): Principal {
  const none = { publish: ['*'], run: true, metrics: false, admin: false };
  const read = ['*', ...ownPatterns(owner), ...(more.read ?? [])];
  return {
    id: `user:${owner}`,
    kind: 'user',
    name: owner,
    owner,
    grants: { ...none, ...more, read },
    expires: Number.POSITIVE_INFINITY,
  };
}

const KEY = 'lls_';

const PEOPLE: Readonly<Record<string, Principal>> = {
  alice: member('alice'),
  bob: member('bob'),
  // Has been given the right to read all of alice's runs, but no conversation.
  carol: member('carol', { read: ['runs:alice/*'] }),
  root: member('root', { admin: true, read: ['runs:*', 'conversations:*', 'events:runs:*', 'audit:*'] }),
};

/** @param otherwise who asks where no key says so, as in a browser that has signed in. */
export async function ownedGateway(
  env: Readonly<Record<string, string>>,
  tokenMs: number,
  otherwise?: string,
): Promise<OwnedGateway> {
  const config = readGatewayConfig({ AUTH: 'on', RATE_LIMIT_PER_SECOND: '0', LOG_LEVEL: 'silent', ...env });
  const broker = await openBroker(config.REDIS_URL, config.NAMESPACE, retentionPolicy(config));
  const logger = createLogger('test', 'silent', true);
  const app = createApp(config, broker, logger, undefined, {
    simulator: { tokenMs },
    credentials: {
      bearer: { apiKey: { principalOf: async (key) => PEOPLE[key.slice(KEY.length)] } },
      ...(otherwise !== undefined && {
        headers: [{ find: () => ({ kind: 'session', principal: async () => PEOPLE[otherwise] }) }],
      }),
    },
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const ask: OwnedGateway['ask'] = (who, path, init = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { ...init.headers, ...(who !== '' && { authorization: `Bearer ${KEY}${who}` }) },
    });
  return {
    url,
    broker,
    app,
    ask,
    begin: (who, body) =>
      ask(who, '/api/process', {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'respond-async' },
        body: JSON.stringify({ message: 'Explain tides', ...body }),
      }),
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
      await broker.close();
    },
  };
}

async function openBroker(
  url: string | undefined,
  namespace: string,
  retention: ReturnType<typeof retentionPolicy>,
): Promise<Broker> {
  if (url === undefined) return new MemoryBroker(retention);
  const broker = new RedisBroker({ url, namespace, retention });
  await broker.open(30_000);
  return broker;
}
