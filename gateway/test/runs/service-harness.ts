// For tests: the runs of a gateway from real parts, with a broker, a store, and the real client that calls the simulator.

import type { Broker, PageItem } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { type OwnedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { ProviderModel } from '../../src/llm/provider.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SIMULATED } from '../../src/llm/target.ts';
import { runVariables, Targets } from '../../src/runs/config.ts';
import { Pipeline } from '../../src/runs/pipeline.ts';
import { Prompts } from '../../src/runs/prompts.ts';
import { RunHistory } from '../../src/runs/run-history.ts';
import { followChannel } from '../../src/runs/run-reader.ts';
import { RunService, type RunServiceOptions } from '../../src/runs/run-service.ts';
import { MemoryRunStore } from '../../src/runs/store/memory-run-store.ts';
import { RedisRunStore } from '../../src/runs/store/redis-run-store.ts';
import type { RunStore } from '../../src/runs/store/run-store.ts';
import { isEnd } from '../../src/runs/wire.ts';

export interface Gateway {
  service: RunService;
  history: RunHistory;
  store: RunStore;
  broker: Broker;
  simulator: Simulator;
  close(): Promise<void>;
}

export interface GatewayOptions {
  leaseMs?: number;
  tokenMs?: number;
  contextTokens?: number;
  /** With a model like `sim-stall`, runs do not end until the test ends them. */
  model?: string;
  onEnded?: RunServiceOptions['onEnded'];
}

export function memoryLog(): { broker: MemoryBroker; store: MemoryRunStore } {
  const broker = new MemoryBroker();
  return { broker, store: new MemoryRunStore(broker) };
}

export function redisLog(url: string, namespace: string): { broker: RedisBroker; store: RedisRunStore } {
  const store = new RedisRunStore(
    new RedisClient(url, 'runs', undefined),
    new RedisKeys(namespace),
    DEFAULT_RETENTION,
  );
  return { broker: new RedisBroker({ url, namespace }), store };
}

export async function openGateway(
  source: string,
  { broker, store }: { broker: Broker & { open?(ms: number): Promise<void> }; store: RunStore },
  {
    leaseMs = 60_000,
    tokenMs = 1,
    contextTokens = 3000,
    model: LLM_MODEL = 'sim-1',
    onEnded,
  }: GatewayOptions = {},
): Promise<Gateway> {
  const simulator = new Simulator({ chunkTokens: 4, tokenMs });
  const prompts = new Prompts({ path: runVariables.PROMPTS_FILE.parse(undefined) });
  const pipeline = new Pipeline({
    model: new ProviderModel({ firstContentMs: 60_000, chunkMs: 60_000 }, simulator.fetch),
    observer: { onEntry: () => undefined, onGenerationEnded: () => undefined },
    source,
    entryBytes: 65_536,
    timeoutMs: 60_000,
    logContent: false,
  });
  const LLM_BASE_URL = SIMULATED.baseUrl;
  const targets = new Targets({ USE_LLM_MOCK: false, LLM_BASE_URL, LLM_MODEL }, () => undefined);
  const logger = createLogger(source, 'silent', true);
  const history = new RunHistory(broker);
  const service = new RunService({
    store,
    broker,
    history,
    pipeline,
    prompts,
    targets,
    source,
    contextTokens,
    maxRuns: 1_000,
    leaseMs,
    logger,
    ...(onEnded && { onEnded }),
  });
  await broker.open?.(5_000);
  await service.open();
  const close = async () => {
    await service.close();
    prompts.close();
    await store.close();
    await broker.close();
  };
  return { service, history, store, broker, simulator, close };
}

/** Reads a run to its end, or until `enough` returns true; returns the entries and the position where it stopped. */
export async function readRun(
  broker: Broker,
  key: OwnedKey,
  after: Position = BEGINNING,
  enough: (entries: Entry[]) => boolean = () => false,
): Promise<{ entries: Entry[]; at: Position; gaps: PageItem[] }> {
  const entries: Entry[] = [];
  const gaps: PageItem[] = [];
  let at = after;
  for await (const item of followChannel(broker, runChannel(key), after, new AbortController().signal)) {
    if (!item.record) {
      gaps.push(item);
      continue;
    }
    entries.push(item.record.entry);
    at = item.record.n;
    if (isEnd(item.record.entry) || enough(entries)) break;
  }
  return { entries, at, gaps };
}
