// Opens the store that the configuration means: Redis beside the log, or else a file, or else nothing but memory.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { FileAuthStore } from './file-auth-store.ts';
import { RedisAuthStore } from './redis-auth-store.ts';

export interface AuthStoreConfig {
  REDIS_URL?: string | undefined;
  NAMESPACE: string;
  AUTH_FILE?: string | undefined;
}

/** @param broker whose log is in the same Redis. @throws CodedError `invalid_config` if AUTH_FILE is not valid */
export async function openAuthStore(
  config: AuthStoreConfig,
  logger?: Logger,
  broker?: Broker,
): Promise<AuthStore> {
  const { REDIS_URL: url, NAMESPACE: namespace } = config;
  if (broker instanceof RedisBroker) return new RedisAuthStore((label) => broker.client(label), namespace);
  if (url !== undefined) return RedisAuthStore.at(url, namespace, logger);
  return FileAuthStore.open({
    path: config.AUTH_FILE,
    onBroken: (reason) => logger?.warn(`AUTH_FILE: ${reason}; the last good content stays in use`),
  });
}

/** Whether people and keys can be added, so that they are there for the next start. */
export function keepsPeople({ REDIS_URL, AUTH_FILE }: AuthStoreConfig): boolean {
  return REDIS_URL !== undefined || AUTH_FILE !== undefined;
}
