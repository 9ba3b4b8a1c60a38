// A gateway for tests: the real application on a free port, in the test's process, with the log in memory or in Redis.
import type { AddressInfo } from 'node:net';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { createLogger, type Logger } from '@llm-streamer/shared/logger.ts';
import { createApp, type Tuning } from '../gateway/src/app.ts';
import type { AuthStore } from '../gateway/src/auth/store/auth-store.ts';
import { type Config, readGatewayConfig } from '../gateway/src/config.ts';
import { SseClient, type SseClientOptions } from './sse-client.ts';

export interface TestGateway {
  readonly port: number;
  readonly url: string;
  readonly broker: Broker;
  /** Opens `/stream` as a viewer does; `query` is without its `?`. */
  view(query?: string, options?: SseClientOptions): Promise<SseClient>;
  health(): Promise<Record<string, number | string | boolean>>;
  /** Ends the application only. */
  stop(): Promise<void>;
  /** Ends the application and the broker. */
  close(): Promise<void>;
}

/** `env` holds the gateway's variables, REDIS_URL included. Without SSE_KEEPALIVE_MS the gateway pings every minute. Without PORT any is taken. */
export async function openGateway(
  env: Readonly<Record<string, string>> = {},
  tuning: Tuning = {},
  store?: AuthStore,
  logger: Logger = createLogger('gateway', 'silent', true),
): Promise<TestGateway> {
  const config = readGatewayConfig({ SSE_KEEPALIVE_MS: '60000', ...env });
  const broker = await openBroker(config);
  const app = createApp(config, broker, logger, undefined, tuning, store);
  await app.listen({ host: config.HOST, port: Number(env.PORT ?? 0) });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}${config.BASE_PATH}`;
  return {
    port,
    url,
    broker,
    view: (query = '', options) => SseClient.open(`${url}/stream?${query}`, options),
    health: async () => (await fetch(`${url}/sse/health`)).json() as Promise<Record<string, number>>,
    stop: async () => void (await app.close()),
    close: async () => {
      await app.close();
      await broker.close();
    },
  };
}

async function openBroker(config: Config): Promise<Broker> {
  const retention = retentionPolicy(config);
  if (config.REDIS_URL === undefined) return new MemoryBroker(retention);
  const broker = new RedisBroker({ url: config.REDIS_URL, namespace: config.NAMESPACE, retention });
  await broker.open(5_000);
  return broker;
}

/** A plain entry, ready for the log. */
export function line(channel: string, msg: string, more: Partial<EntryFields> = {}): Draft {
  return draft({ time: 1_795_224_320_113, channel, source: 'test', level: 'info', msg, ...more });
}
