// Makes the parts that runs need from the configuration and the log: models, prompts, records and readers.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { isClusterUrl } from '@llm-streamer/shared/broker/redis/address.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import type { Registry } from 'prom-client';
import type { AgentSource } from './agents/agent.ts';
import { AgentWork } from './agents/agent-work.ts';
import { AgentDirectory } from './agents/directory.ts';
import { type Config, plainChannels } from './config.ts';
import { ProviderModel } from './llm/provider.ts';
import { ResilientModel } from './llm/resilient.ts';
import { Simulator } from './llm/simulator/simulator.ts';
import type { SimulatorOptions } from './llm/simulator/simulator-answer.ts';
import { TracedModel } from './llm/traced-model.ts';
import type { Targets } from './runs/config.ts';
import { Conversations } from './runs/conversations.ts';
import { RunMetrics } from './runs/metrics.ts';
import { Pipeline, type PipelineOptions } from './runs/pipeline.ts';
import { Prompts, type PromptsOptions } from './runs/prompts.ts';
import {
  MemoryRateLimiter,
  type RateLimiter,
  type RateLimitOptions,
  RedisRateLimiter,
} from './runs/rate-limit.ts';
import { RunEnds } from './runs/run-ends.ts';
import { RunHistory } from './runs/run-history.ts';
import { RunService } from './runs/run-service.ts';
import { MemoryRunStore } from './runs/store/memory-run-store.ts';
import { RedisRunStore } from './runs/store/redis-run-store.ts';
import type { Toolbox } from './tools/toolbox.ts';
import type { Tracing } from './tracing/tracing.ts';

/** Milliseconds without a sign of life after which a run is lost. */
const RUN_LEASE_MS = 6_000;
/** After this many failures in a row, a model is not called for BREAKER_PAUSE_MS. */
const BREAK_AFTER = 5;
const BREAKER_PAUSE_MS = 10_000;
/** Time for the last entries about model calls to reach the log. */
const FLUSH_MS = 1_000;

/** What the agents file says, and the tools of its servers. */
export interface AgentParts {
  agents: AgentSource;
  toolbox: Toolbox;
}

export interface Runs {
  service: RunService;
  prompts: Prompts;
  targets: Targets;
  history: RunHistory;
  conversations: Conversations;
  ends: RunEnds;
  agents: AgentDirectory;
  limiter: RateLimiter;
  limit: RateLimitOptions;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** @throws CodedError if the configuration lacks something that a model needs, or if the prompts file is not valid. */
export function composeRuns(
  config: Config,
  broker: Broker,
  gateway: string,
  registry: Registry,
  logger: Logger,
  tracing: Tracing,
  targets: Targets,
  { agents, toolbox }: AgentParts,
  simulator: Partial<SimulatorOptions> = {},
): Runs {
  const prompts = openPrompts(config, targets, logger);
  const limit = { burst: config.RATE_LIMIT_BURST, perSecond: config.RATE_LIMIT_PER_SECOND };
  const { store, limiter } = openRecords(config, broker, limit);
  const calls = new Publisher(broker, { source: gateway, logger });
  const metrics = new RunMetrics(registry, () => service.active);
  const shared = {
    model: createModel(config, new Simulator(simulator), logger, tracing.isOn),
    observer: {
      onEntry: (fields) => calls.enqueue(draft(fields, config.ENTRY_BYTES)),
      onGenerationEnded: (record) => metrics.observeGeneration(record),
    },
    source: gateway,
    entryBytes: config.ENTRY_BYTES,
    logContent: config.LOG_CONTENT,
  } satisfies Partial<PipelineOptions>;
  const pipeline = new Pipeline({ ...shared, timeoutMs: config.RUN_TIMEOUT_MS });
  const agentWork = new AgentWork({
    ...shared,
    agents,
    toolbox,
    targets,
    // A run that waits writes nothing, and what nobody writes to is forgotten: the question must still be there to be answered.
    approvalMs: Math.min(config.APPROVAL_TIMEOUT_MS, config.RETENTION_SECONDS_RUNS * 900),
    onToolCalled: (tool, durationMs, code) => metrics.observeToolCall(tool, durationMs, code),
  });
  const history = new RunHistory(broker);
  const service = new RunService({
    store,
    broker,
    history,
    pipeline,
    agents: agentWork,
    prompts,
    targets,
    source: gateway,
    contextTokens: config.LLM_CONTEXT_TOKENS,
    maxRuns: config.MAX_RUNS,
    leaseMs: RUN_LEASE_MS,
    logger,
    tracer: tracing,
    onEnded: (state, durationMs, workflow) => metrics.observeRun(workflow, state, durationMs),
  });
  return {
    service,
    prompts,
    targets,
    history,
    conversations: new Conversations(store.conversations, broker),
    ends: new RunEnds(broker, store, config.SSE_KEEPALIVE_MS),
    agents: new AgentDirectory(agents, toolbox, targets),
    limiter,
    limit,
    open: async () => {
      await tracing.open();
      await service.open();
    },
    close: async () => {
      await service.close();
      prompts.close();
      await Promise.all([calls.close(FLUSH_MS), tracing.close()]);
      await store.close();
    },
  };
}

function createModel(
  config: Config,
  simulator: Simulator,
  logger: Logger,
  isTraced: boolean,
): ResilientModel {
  const timeouts = {
    firstContentMs: config.LLM_FIRST_CONTENT_TIMEOUT_MS,
    chunkMs: config.LLM_CHUNK_TIMEOUT_MS,
  };
  const provider = new ProviderModel(timeouts, config.USE_LLM_MOCK ? simulator.fetch : globalThis.fetch);
  const model = isTraced ? new TracedModel(provider) : provider;
  const resilience = { retries: config.LLM_RETRIES, breakAfter: BREAK_AFTER, pauseMs: BREAKER_PAUSE_MS };
  return new ResilientModel(model, resilience, (notice) => {
    const { provider, model: name } = notice.target;
    const about = { provider, model: name };
    if (notice.kind === 'retry')
      logger.info(
        { ...about, code: notice.code, delay_ms: Math.round(notice.delayMs) },
        'model call repeated',
      );
    else logger.warn(about, `circuit breaker ${notice.kind}`);
  });
}

function openPrompts({ PROMPTS_FILE: path }: Config, targets: Targets, logger: Logger): Prompts {
  const options: PromptsOptions = {
    path,
    check: ({ tasks, combiner, upstreams }) =>
      targets.complaint([...tasks, combiner]) ?? targets.missingKey(upstreams),
    onChange: ({ version }) => logger.info({ version }, 'prompts changed'),
    onBroken: (reason) => logger.warn(`PROMPTS_FILE: ${reason}; the last good prompts stay in use`),
  };
  try {
    return new Prompts(options);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'invalid_prompts') throw error;
    throw new CodedError('invalid_config', `PROMPTS_FILE ${path}: ${error.message}`);
  }
}

function openRecords(config: Config, broker: Broker, limit: RateLimitOptions) {
  const { REDIS_URL: url, NAMESPACE: namespace } = config;
  let store: MemoryRunStore | RedisRunStore;
  let limiter: RateLimiter;
  if (broker instanceof RedisBroker) {
    const client = broker.client('runs');
    const keys = new RedisKeys(namespace, plainChannels(config), isClusterUrl(url));
    store = new RedisRunStore(client, keys, retentionPolicy(config));
    limiter = new RedisRateLimiter(client, namespace, limit);
  } else if (broker instanceof MemoryBroker) {
    store = new MemoryRunStore(broker);
    limiter = new MemoryRateLimiter(limit);
  } else {
    throw new CodedError('invalid_config', 'REDIS_URL: runs are kept beside the log, which is not in memory');
  }
  return { store, limiter };
}
