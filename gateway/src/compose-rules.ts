// Makes the parts that apply rules from the configuration: the store of what they remember, and the thread that does the work. Without
// RULES_FILE there are none: no thread is started, and nothing is opened.

import type { AlertTestAnswer, FiringAlert } from '@llm-streamer/shared/api-types.ts';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { isClusterUrl } from '@llm-streamer/shared/broker/redis/address.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { Registry } from 'prom-client';
import { type Config, plainChannels, readSecret } from './config.ts';
import { NO_FIGURES } from './rules/figures.ts';
import { rulesMetrics } from './rules/metrics.ts';
import { testDestinations } from './rules/notify/test-destinations.ts';
import { readRules } from './rules/read-rules.ts';
import { destinationComplaint, type Report } from './rules/rules-service.ts';
import { MemoryRulesStore } from './rules/store/memory-rules-store.ts';
import { RedisRulesStore } from './rules/store/redis-rules-store.ts';
import { RulesHost, type RulesHostOptions } from './rules/thread/rules-host.ts';

export interface Rules {
  /** Whether there is a file of rules. */
  areThere: boolean;
  /** The alerts that fire now. */
  firing(): Promise<FiringAlert[]>;
  /** Sends a test to one destination, or to all. Undefined if there is no such destination, or none at all. */
  test(destination?: string): Promise<AlertTestAnswer | undefined>;
  open(): Promise<void>;
  close(): Promise<void>;
}

const NONE: Rules = {
  areThere: false,
  firing: async () => [],
  test: async () => undefined,
  open: async () => {},
  close: async () => {},
};

/** @throws CodedError `invalid_config` if the rules file is not valid */
export function composeRules(
  config: Config,
  broker: Broker,
  gateway: string,
  registry: Registry,
  logger: Logger,
  tell: Report,
): Rules {
  const { RULES_FILE: path, ENTRY_BYTES: entryBytes } = config;
  if (path === undefined) {
    rulesMetrics(registry, () => NO_FIGURES);
    return NONE;
  }
  const read = () => readRules(path, (rules) => destinationComplaint(rules, readSecret));
  let lastGood: string;
  try {
    lastGood = read().text;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError('invalid_config', `RULES_FILE ${path}: ${error.message}`);
  }
  const report: Report = (level, msg) => {
    logger[level](msg);
    tell(level, msg);
  };
  const { store, log } = openLog(config, broker);
  const host = new RulesHost({ data: { path, lastGood, holder: gateway, entryBytes }, log, report });
  rulesMetrics(registry, () => host.figures);
  return {
    areThere: true,
    firing: () => store.firing(),
    test: (destination) => testDestinations(read().rules, readSecret, destination),
    open: async () => {
      // Here and not in the thread, which needs a moment to start: what is written meanwhile counts.
      await store.begin().catch((error: Error) => logger.warn(`rules: ${error.message}`));
      host.start();
    },
    close: async () => {
      await host.close();
      await store.close();
    },
  };
}

function openLog(
  config: Config,
  broker: Broker,
): { store: RedisRulesStore | MemoryRulesStore; log: RulesHostOptions['log'] } {
  const { REDIS_URL: url, NAMESPACE: namespace } = config;
  const retention = retentionPolicy(config);
  if (broker instanceof RedisBroker && url !== undefined) {
    const echoes = plainChannels(config);
    const store = new RedisRulesStore(
      broker.client('alerts'),
      new RedisKeys(namespace, echoes, isClusterUrl(url)),
      retention,
    );
    return { store, log: { kind: 'redis', url, namespace, echoes, retention } };
  }
  if (!(broker instanceof MemoryBroker))
    throw new CodedError(
      'invalid_config',
      'REDIS_URL: what rules remember is kept beside the log, which is not in memory',
    );
  const store = new MemoryRulesStore(broker);
  return { store, log: { broker, store } };
}
