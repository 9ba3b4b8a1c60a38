// The batch scheduler of an inference server: it admits requests while the KV cache has room, computes prompts in chunks, decodes
// more slowly as the batch grows, and preempts when the cache is full. It never runs more sequences than the machine allows.

import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { kvCacheTokens } from './backends.ts';
import { type Failure, type GenerationRequest, laneOf, type Settle } from './generation.ts';
import { Sequence } from './sequence.ts';
import type { World } from './world.ts';

const STEP_MS = 50;
/** With each further sequence in the batch, all others lose this share of their speed. */
const BATCH_COST = 0.025;
/** The share of the decoding speed that remains while the machine also computes prompts. */
const PREFILL_SHARE = 0.55;

export class Engine {
  readonly #world: World;
  readonly #capacity: number;
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  #stepping = false;
  /** Totals since the story began. */
  readonly totals = {
    promptTokens: 0,
    generatedTokens: 0,
    queriedTokens: 0,
    cachedTokens: 0,
    preemptions: 0,
  };

  constructor(world: World) {
    this.#world = world;
    this.#capacity = kvCacheTokens(world.backend);
  }

  get running(): number {
    return this.#running.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The used share of the KV cache, from 0 to 1. */
  get kvUsage(): number {
    return this.#kvTokens() / this.#capacity;
  }

  submit(request: GenerationRequest, settle: Settle): void {
    const { run, promptTokens, maxTokens } = request;
    this.#world.writeLine({
      channel: CHANNELS.generation,
      level: 'info',
      event: EVENTS.requestQueued,
      run,
      msg: `request queued: ${promptTokens} prompt tokens, max_tokens ${maxTokens}, ${this.waiting} waiting`,
      attrs: {
        ...laneOf(request),
        tenant: request.tenant,
        prompt_tokens: promptTokens,
        waiting: this.waiting,
      },
    });
    this.#waiting.push(new Sequence(this.#world, request, settle));
    this.totals.queriedTokens += promptTokens;
    this.totals.cachedTokens += request.cachedTokens;
    if (this.#stepping) return;
    this.#stepping = true;
    this.#world.timeline.after(0, () => this.#step());
  }

  /** Fails everything that runs or waits. */
  abortAll(failure: Failure): void {
    const all = [...this.#running, ...this.#waiting];
    this.#running = [];
    this.#waiting = [];
    for (const sequence of all) sequence.fail(failure);
  }

  #step(): void {
    this.#admit();
    const prefilled = this.#prefill();
    this.#decode(prefilled > 0);
    this.#stepping = this.#running.length + this.#waiting.length > 0;
    if (this.#stepping) this.#world.timeline.after(STEP_MS, () => this.#step());
  }

  #admit(): void {
    const { maxRunning } = this.#world.backend;
    for (let next = this.#waiting[0]; next && this.#running.length < maxRunning; next = this.#waiting[0]) {
      if (this.#running.length > 0 && this.#kvTokens() + next.kvTokens > this.#capacity) return;
      this.#waiting.shift();
      this.#running.push(next);
      next.schedule();
    }
  }

  #prefill(): number {
    let budget = Math.ceil((this.#world.backend.prefillTokensPerSecond * STEP_MS) / 1000);
    const before = budget;
    for (const sequence of this.#running) budget -= sequence.prefill(budget);
    this.totals.promptTokens += before - budget;
    return before - budget;
  }

  #decode(prefilling: boolean): void {
    const { random, backend } = this.#world;
    const decoding = this.#running.filter(({ toPrefill }) => toPrefill === 0);
    const slowdown = 1 / (1 + BATCH_COST * (decoding.length - 1));
    const speed = backend.tokensPerSecond * slowdown * (prefilling ? PREFILL_SHARE : 1);
    for (const sequence of decoding) {
      if (!this.#running.includes(sequence)) continue; // it was preempted earlier in this step
      const amount = (speed * STEP_MS * random.between(0.85, 1.15)) / 1000;
      this.totals.generatedTokens += sequence.decode(amount);
      if (sequence.isDone || sequence.isDeserted) {
        this.#running.splice(this.#running.indexOf(sequence), 1);
        if (sequence.isDone) sequence.finish();
        else sequence.fail('client_disconnected');
      }
      while (this.#kvTokens() > this.#capacity && this.#running.length > 1) this.#preempt();
    }
  }

  #preempt(): void {
    const victim = this.#running.pop() as Sequence;
    victim.preempt();
    this.#waiting.unshift(victim);
    const total = ++this.totals.preemptions;
    this.#world.writeLine({
      channel: CHANNELS.logs,
      level: 'warn',
      run: victim.request.run,
      msg:
        `Sequence group ${victim.request.run} is preempted by PreemptionMode.RECOMPUTE mode because there is not ` +
        'enough KV cache space. This can affect the end-to-end performance. Increase gpu_memory_utilization or ' +
        `tensor_parallel_size to provide more KV cache memory. total_num_cumulative_preemption=${total}`,
      attrs: laneOf(victim.request),
    });
  }

  #kvTokens(): number {
    let tokens = 0;
    for (const sequence of this.#running) tokens += sequence.kvTokens;
    return tokens;
  }
}
