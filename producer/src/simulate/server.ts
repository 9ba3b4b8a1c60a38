// The inference server around the engine: it starts up, takes requests or refuses them with a status, reports its metrics each
// second, and now and then runs out of memory and starts again.

import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI, METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { Engine } from './engine.ts';
import {
  type Failure,
  type GenerationRequest,
  laneOf,
  type Outcome,
  rejected,
  type Settle,
} from './generation.ts';
import { outOfMemory } from './out-of-memory.ts';
import { startUp } from './startup.ts';
import type { World } from './world.ts';

/** While this many requests wait for each one that may run, further requests are refused. */
const QUEUE_FACTOR = 2;
const METRICS_MS = 1_000;
const HEALTH_CHECK_MS = 10_000;
const MEAN_MS_TO_OUT_OF_MEMORY = 12 * 60_000;
/** A quota refills this much faster than a tenant usually asks, so that only bursts exceed it. */
const QUOTA_SLACK = 1.6;
const QUOTA_BURST = 6;

const STATUS: Record<Failure, string> = {
  client_disconnected: '499 Client Closed Request',
  context_length_exceeded: '400 Bad Request',
  out_of_memory: '500 Internal Server Error',
  rate_limit_exceeded: '429 Too Many Requests',
  server_shutdown: '503 Service Unavailable',
  service_unavailable: '503 Service Unavailable',
};

export class Server {
  readonly #world: World;
  readonly #engine: Engine;
  /** The requests per second that each tenant usually sends. A tenant that is not in it has no quota. */
  readonly #demand: ReadonlyMap<string, number>;
  readonly #quota = new Map<string, { left: number; at: number }>();
  #state: 'starting' | 'serving' | 'stopped' = 'starting';
  #reported = { promptTokens: 0, generatedTokens: 0 };

  constructor(world: World, demand: ReadonlyMap<string, number>) {
    this.#world = world;
    this.#engine = new Engine(world);
    this.#demand = demand;
  }

  start(ready: () => void): void {
    startUp(this.#world, () => {
      this.#state = 'serving';
      this.#every(METRICS_MS, () => this.#report());
      this.#every(HEALTH_CHECK_MS, () =>
        this.#access('127.0.0.1:40612', 'GET /health', '200 OK', CHANNELS.debug),
      );
      this.#scheduleOutOfMemory();
      ready();
    });
  }

  submit(request: GenerationRequest, settle: Settle): void {
    const refusal = this.#refusal(request);
    if (refusal) {
      const [outcome, why] = refusal;
      this.#deny(request, outcome, why);
      settle(outcome);
      return;
    }
    this.#engine.submit(request, (outcome) => {
      if (outcome.failure) this.#fail(request, outcome.failure);
      else this.#access(request.peer, 'POST /v1/chat/completions', '200 OK');
      settle(outcome);
    });
  }

  /** Refuses further requests, and fails those that run or wait. */
  stop(): void {
    this.#state = 'stopped';
    this.#info('Shutting down');
    this.#engine.abortAll('server_shutdown');
  }

  writeShutdown(): void {
    this.#info('Waiting for application shutdown.');
    this.#info('Application shutdown complete.');
    this.#info('Finished server process [1]');
  }

  #refusal({ promptTokens, maxTokens, tenant }: GenerationRequest): [Outcome, string] | undefined {
    const { maxModelLength, maxRunning } = this.#world.backend;
    if (this.#state !== 'serving')
      return [rejected('service_unavailable', 5), 'the engine is restarting, no backend is ready'];
    const requested = promptTokens + maxTokens;
    if (requested > maxModelLength)
      return [
        rejected('context_length_exceeded'),
        `This model's maximum context length is ${maxModelLength} tokens. However, you requested ${requested} tokens ` +
          `(${promptTokens} in the messages, ${maxTokens} in the completion). Please reduce the length of the ` +
          'messages or completion.',
      ];
    const limit = maxRunning * QUEUE_FACTOR;
    if (this.#engine.waiting >= limit)
      return [rejected('rate_limit_exceeded', 2), `Rate limit: ${limit} requests waiting, the queue is full`];
    if (!this.#withinQuota(tenant))
      return [rejected('rate_limit_exceeded', 1), `Rate limit reached for ${tenant} on requests per minute`];
    return undefined;
  }

  #withinQuota(tenant: string): boolean {
    const demand = this.#demand.get(tenant);
    if (demand === undefined) return true;
    const { now } = this.#world.timeline;
    const refill = (demand * QUOTA_SLACK) / 1000;
    const before = this.#quota.get(tenant) ?? { left: QUOTA_BURST, at: now };
    const left = Math.min(QUOTA_BURST, before.left + (now - before.at) * refill);
    const allowed = left >= 1;
    this.#quota.set(tenant, { left: allowed ? left - 1 : left, at: now });
    return allowed;
  }

  #deny(request: GenerationRequest, { failure, retryAfter }: Outcome, why: string): void {
    const status = STATUS[failure as Failure];
    this.#world.writeLine({
      channel: CHANNELS.errors,
      level: failure === 'context_length_exceeded' ? 'error' : 'warn',
      run: request.run,
      msg: `${status}: ${why}${retryAfter === undefined ? '' : `. Retry-After: ${retryAfter}`}`,
      attrs: {
        ...laneOf(request),
        tenant: request.tenant,
        [GEN_AI.errorType]: failure,
        'http.response.status_code': Number.parseInt(status, 10),
      },
    });
    this.#access(request.peer, 'POST /v1/chat/completions', status);
  }

  #fail({ run, lane, peer }: GenerationRequest, failure: Failure): void {
    if (failure !== 'client_disconnected') {
      this.#access(peer, 'POST /v1/chat/completions', STATUS[failure]);
      return;
    }
    this.#world.writeLine({
      channel: CHANNELS.logs,
      level: 'warn',
      run,
      msg: `Aborted request ${run}: client ${peer} disconnected`,
      attrs: { ...(lane !== undefined && { lane }), [GEN_AI.errorType]: failure },
    });
  }

  #access(peer: string, request: string, status: string, channel: string = CHANNELS.logs): void {
    const level = channel === CHANNELS.debug ? 'debug' : 'info';
    this.#world.writeLine({ channel, level, msg: `${peer} - "${request} HTTP/1.1" ${status}` });
  }

  #info(msg: string): void {
    this.#world.writeLine({ channel: CHANNELS.logs, level: 'info', msg });
  }

  #every(ms: number, action: () => void): void {
    this.#world.timeline.after(ms, () => {
      if (this.#state !== 'serving') return; // the next start begins it again
      action();
      this.#every(ms, action);
    });
  }

  #report(): void {
    const { totals, running, waiting, kvUsage } = this.#engine;
    const prompt = (totals.promptTokens - this.#reported.promptTokens) / (METRICS_MS / 1000);
    const generated = (totals.generatedTokens - this.#reported.generatedTokens) / (METRICS_MS / 1000);
    const hits = totals.queriedTokens > 0 ? totals.cachedTokens / totals.queriedTokens : 0;
    this.#reported = { promptTokens: totals.promptTokens, generatedTokens: totals.generatedTokens };
    this.#world.writeLine({
      channel: CHANNELS.metrics,
      level: 'info',
      event: EVENTS.serverMetrics,
      msg:
        `Engine 000: Avg prompt throughput: ${prompt.toFixed(1)} tokens/s, Avg generation throughput: ` +
        `${generated.toFixed(1)} tokens/s, Running: ${running} reqs, Waiting: ${waiting} reqs, ` +
        `GPU KV cache usage: ${(kvUsage * 100).toFixed(1)}%, Prefix cache hit rate: ${(hits * 100).toFixed(1)}%`,
      attrs: {
        [GEN_AI.requestModel]: this.#world.backend.model,
        [METRICS.promptThroughput]: prompt,
        [METRICS.generationThroughput]: generated,
        [METRICS.running]: running,
        [METRICS.waiting]: waiting,
        [METRICS.kvCacheUsage]: Number(kvUsage.toFixed(4)),
        [METRICS.prefixCacheHitRate]: Number(hits.toFixed(4)),
        [METRICS.preemptions]: totals.preemptions,
      },
    });
  }

  #scheduleOutOfMemory(): void {
    this.#world.timeline.after(this.#world.random.exponential(MEAN_MS_TO_OUT_OF_MEMORY), () => {
      if (this.#state !== 'serving') return;
      if (this.#engine.running === 0) {
        this.#scheduleOutOfMemory();
        return;
      }
      this.#state = 'starting';
      this.#world.writeLine(outOfMemory(this.#world));
      this.#engine.abortAll('out_of_memory');
      this.#world.writeLine({
        channel: CHANNELS.logs,
        level: 'error',
        msg: 'EngineCore died unexpectedly, restarting it',
      });
      this.#world.timeline.after(1_500, () => {
        if (this.#state === 'starting') this.start(() => undefined);
      });
    });
  }
}
