// One generation inside the engine: first its prompt, then its tokens, then exactly one end. It writes the entries about itself.

import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import { BLOCK_TOKENS } from './backends.ts';
import { type Failure, type GenerationRequest, laneOf, type Settle } from './generation.ts';
import type { World } from './world.ts';

/** A delta holds the tokens of this much time, so that people can read along. */
const DELTA_MS = 250;

export class Sequence {
  readonly request: GenerationRequest;
  readonly #world: World;
  readonly #settle: Settle;
  readonly #queuedAt: number;
  #startedAt: number | undefined;
  #firstTokenAt: number | undefined;
  #toPrefill: number;
  #produced = 0;
  /** The part of the next token that has been decoded. */
  #fraction = 0;
  #streamed = 0;
  #streamedAt = 0;

  constructor(world: World, request: GenerationRequest, settle: Settle) {
    this.#world = world;
    this.request = request;
    this.#settle = settle;
    this.#queuedAt = world.timeline.now;
    this.#toPrefill = request.promptTokens - request.cachedTokens;
  }

  /** How many tokens it takes of the KV cache: whole blocks. */
  get kvTokens(): number {
    return Math.ceil((this.request.promptTokens + this.#produced + 1) / BLOCK_TOKENS) * BLOCK_TOKENS;
  }

  get toPrefill(): number {
    return this.#toPrefill;
  }

  get isDone(): boolean {
    return this.#produced >= Math.min(this.request.answer.length, this.request.maxTokens);
  }

  get isDeserted(): boolean {
    return this.#produced >= this.request.patience;
  }

  /** Enters the running batch. The first time this writes `generation.started`, later that it returns from preemption. */
  schedule(): void {
    const { run, channel, promptTokens, cachedTokens, maxTokens, temperature } = this.request;
    const { timeline } = this.#world;
    if (this.#startedAt !== undefined) {
      this.#debug(`rescheduled after preemption, recomputing ${this.#toPrefill} tokens`);
      return;
    }
    this.#startedAt = timeline.now;
    const waited = (timeline.now - this.#queuedAt) / 1000;
    this.#world.writeLine({
      channel,
      level: 'info',
      event: EVENTS.generationStarted,
      run,
      msg: `generation started: ${promptTokens} prompt tokens, ${waited.toFixed(2)} s in queue`,
      attrs: {
        ...this.#common(),
        [GEN_AI.requestStream]: true,
        [GEN_AI.requestMaxTokens]: maxTokens,
        [GEN_AI.requestTemperature]: temperature,
        prompt_tokens: promptTokens,
      },
    });
    this.#debug(
      `scheduled: ${this.kvTokens / BLOCK_TOKENS} blocks, ${cachedTokens} of ${promptTokens} prompt tokens cached`,
    );
  }

  /** Computes up to `budget` tokens of the prompt, and returns how many. */
  prefill(budget: number): number {
    const used = Math.min(budget, this.#toPrefill);
    this.#toPrefill -= used;
    return used;
  }

  /** Decodes `amount` tokens, a fraction included, and returns how many whole tokens that completes. */
  decode(amount: number): number {
    const { answer, maxTokens, patience } = this.request;
    const end = Math.min(answer.length, maxTokens, patience);
    this.#fraction += amount;
    const whole = Math.min(Math.floor(this.#fraction), end - this.#produced);
    this.#fraction -= Math.floor(this.#fraction);
    if (whole > 0 && this.#firstTokenAt === undefined) this.#firstTokenAt = this.#world.timeline.now;
    this.#produced += whole;
    if (this.#world.timeline.now - this.#streamedAt >= DELTA_MS) this.#streamDelta();
    return whole;
  }

  /** Loses its part of the KV cache, so that everything must be computed again. */
  preempt(): void {
    this.#toPrefill = this.request.promptTokens + this.#produced;
    this.#fraction = 0;
  }

  finish(): void {
    this.#streamDelta();
    const { run, channel, answer, promptTokens, maxTokens } = this.request;
    const reason = answer.length > maxTokens ? 'length' : 'stop';
    const seconds = this.#seconds();
    const speed = this.#tokensPerSecond();
    this.#world.writeLine({
      channel,
      level: 'info',
      event: EVENTS.generationFinished,
      run,
      msg: `generation finished: ${this.#produced} tokens in ${seconds.toFixed(1)} s (${Math.round(speed)} tok/s)`,
      attrs: {
        ...this.#common(),
        [GEN_AI.responseModel]: this.#world.backend.model,
        [GEN_AI.finishReasons]: [reason],
        [GEN_AI.inputTokens]: promptTokens,
        [GEN_AI.outputTokens]: this.#produced,
        [GEN_AI.timeToFirstChunk]: this.#timeToFirstChunk(),
        [ATTRS.duration]: seconds,
        tokens_per_s: round(speed, 1),
      },
    });
    this.#end();
  }

  fail(failure: Failure): void {
    this.#streamDelta();
    if (this.#startedAt !== undefined) {
      this.#world.writeLine({
        channel: this.request.channel,
        level: failure === 'client_disconnected' ? 'warn' : 'error',
        event: EVENTS.generationFailed,
        run: this.request.run,
        msg: `generation failed after ${this.#produced} tokens: ${failure.replaceAll('_', ' ')}`,
        attrs: {
          ...this.#common(),
          [GEN_AI.errorType]: failure,
          [GEN_AI.inputTokens]: this.request.promptTokens,
          [GEN_AI.outputTokens]: this.#produced,
          [ATTRS.duration]: this.#seconds(),
        },
      });
    }
    this.#end(failure);
  }

  #end(failure?: Failure): void {
    const started = this.#startedAt !== undefined;
    this.#settle({
      ...(failure && { failure }),
      started,
      inputTokens: started ? this.request.promptTokens : 0,
      outputTokens: this.#produced,
      durationMs: this.#world.timeline.now - this.#queuedAt,
      tokensPerSecond: this.#tokensPerSecond(),
    });
  }

  #streamDelta(): void {
    const { timeline } = this.#world;
    this.#streamedAt = timeline.now;
    const tokens = this.#produced - this.#streamed;
    if (tokens === 0) return;
    const msg = this.request.answer.slice(this.#streamed, this.#produced).join('');
    this.#streamed = this.#produced;
    this.#world.writeLine({
      channel: CHANNELS.generation,
      level: 'info',
      event: EVENTS.generationDelta,
      run: this.request.run,
      msg,
      attrs: { ...laneOf(this.request), [ATTRS.tokens]: tokens },
    });
  }

  #debug(msg: string): void {
    const { run } = this.request;
    this.#world.writeLine({
      channel: CHANNELS.debug,
      level: 'debug',
      run,
      msg: `scheduler: ${run} ${msg}`,
      attrs: laneOf(this.request),
    });
  }

  #common(): Record<string, unknown> {
    return {
      [ATTRS.schema]: GEN_AI_SCHEMA,
      [GEN_AI.operation]: 'chat',
      [GEN_AI.provider]: 'vllm',
      [GEN_AI.requestModel]: this.#world.backend.model,
      ...laneOf(this.request),
    };
  }

  #seconds(): number {
    return round((this.#world.timeline.now - this.#queuedAt) / 1000, 3);
  }

  #timeToFirstChunk(): number {
    return round(((this.#firstTokenAt ?? this.#world.timeline.now) - this.#queuedAt) / 1000, 3);
  }

  #tokensPerSecond(): number {
    const decoding = (this.#world.timeline.now - (this.#firstTokenAt ?? this.#queuedAt)) / 1000;
    return decoding > 0 ? this.#produced / decoding : 0;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
