// A well-behaved API client: it repeats a request that may succeed later, with exponential backoff and jitter, and gives up after
// four attempts.

import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import { type Failure, type GenerationRequest, laneOf, type Settle } from './generation.ts';
import type { Server } from './server.ts';
import type { World } from './world.ts';

const MAX_ATTEMPTS = 4;
const RETRIABLE: readonly Failure[] = ['out_of_memory', 'rate_limit_exceeded', 'service_unavailable'];

export class Client {
  readonly #world: World;
  readonly #server: Server;

  constructor(world: World, server: Server) {
    this.#world = world;
    this.#server = server;
  }

  /** `settle` gets the outcome of the last attempt, with the tokens of all attempts. */
  ask(request: GenerationRequest, settle: Settle): void {
    this.#server.submit(request, (outcome) => {
      const { failure } = outcome;
      if (failure && RETRIABLE.includes(failure) && request.attempt < MAX_ATTEMPTS) {
        this.#retryLater(request, failure, outcome.retryAfter ?? 1, (last) =>
          settle({
            ...last,
            inputTokens: last.inputTokens + outcome.inputTokens,
            outputTokens: last.outputTokens + outcome.outputTokens,
          }),
        );
        return;
      }
      if (failure && !outcome.started) this.#giveUp(request, failure);
      settle(outcome);
    });
  }

  #retryLater(request: GenerationRequest, failure: Failure, retryAfter: number, settle: Settle): void {
    const { timeline, random } = this.#world;
    const attempt = request.attempt + 1;
    const name = request.lane === undefined ? request.run : `${request.run}/${request.lane}`;
    const delay = retryAfter * 2 ** (request.attempt - 1) * random.between(1, 1.5);
    this.#world.writeLine({
      channel: CHANNELS.logs,
      level: 'warn',
      run: request.run,
      msg: `retrying ${name} in ${delay.toFixed(1)} s (attempt ${attempt} of ${MAX_ATTEMPTS}): ${failure}`,
      attrs: { ...laneOf({ ...request, attempt }), tenant: request.tenant, [GEN_AI.errorType]: failure },
    });
    timeline.after(delay * 1000, () => this.ask({ ...request, attempt }, settle));
  }

  #giveUp(request: GenerationRequest, failure: Failure): void {
    const attempts = request.attempt === 1 ? '' : ` after ${request.attempt} attempts`;
    this.#world.writeLine({
      channel: request.channel,
      level: 'error',
      event: EVENTS.generationFailed,
      run: request.run,
      msg: `generation failed${attempts}, not started: ${failure.replaceAll('_', ' ')}`,
      attrs: {
        [ATTRS.schema]: GEN_AI_SCHEMA,
        [GEN_AI.requestModel]: this.#world.backend.model,
        ...laneOf(request),
        [GEN_AI.errorType]: failure,
      },
    });
  }
}
