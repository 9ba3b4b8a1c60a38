// Opens the store that the configuration means: Redis beside the log, or else a file, or else nothing but memory.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { FileAuthStore } from './file-auth-store.ts';
import { RedisAuthStore } from './redis-auth-store.ts';

export interface AuthStoreConfig {
  REDIS_URL?: string | undefined;
  NAMESPACE: string;
  AUTH_FILE?: string | undefined;
}

/** @throws CodedError `invalid_config` if AUTH_FILE is not valid */
export async function openAuthStore(config: AuthStoreConfig, logger?: Logger): Promise<AuthStore> {
  if (config.REDIS_URL !== undefined) return new RedisAuthStore(config.REDIS_URL, config.NAMESPACE, logger);
  return FileAuthStore.open({
    path: config.AUTH_FILE,
    onBroken: (reason) => logger?.warn(`AUTH_FILE: ${reason}; the last good content stays in use`),
  });
}

/** Whether people and keys can be added, so that they are there for the next start. */
export function keepsPeople({ REDIS_URL, AUTH_FILE }: AuthStoreConfig): boolean {
  return REDIS_URL !== undefined || AUTH_FILE !== undefined;
}
