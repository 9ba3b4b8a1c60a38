// One LLM backend's life as a sequence of entries on a virtual clock. Pure: the same seed, source, rate and messages
// give the same sequence; nothing waits and nothing is published here.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { AgentRun } from './agent-run.ts';
import { BACKENDS } from './backends.ts';
import { Client } from './client.ts';
import { demandByTenant, personalRequest } from './demand.ts';
import type { Outcome } from './generation.ts';
import type { MessageTemplate } from './messages.ts';
import { Random } from './random.ts';
import { Server } from './server.ts';
import { Timeline } from './timeline.ts';
import type { Line, World } from './world.ts';

export interface StoryOptions {
  seed: string;
  source: string;
  /** Requests per second, on average. */
  rate: number;
  /** Where the story ends, in milliseconds; without it, only `end()` ends it. */
  durationMs?: number;
  /** One of these is told with the numbers of each generation that finishes. */
  messages?: readonly MessageTemplate[];
}

/** An entry, and when it is told: milliseconds since the story began. */
export interface Scene {
  at: number;
  entry: Omit<EntryFields, 'time'>;
}

/** So many of the requests begin an agent run. */
const AGENT_RUNS = 0.1;

export class Story implements Iterable<Scene> {
  readonly #options: StoryOptions;
  readonly #timeline = new Timeline();
  readonly #world: World;
  readonly #server: Server;
  readonly #client: Client;
  readonly #runs = new Set<AgentRun>();
  #told: Scene[] = [];
  #ending = false;

  constructor(options: StoryOptions) {
    this.#options = options;
    const random = new Random(`${options.seed}/${options.source}`);
    const backend = random.pick(BACKENDS);
    this.#world = { timeline: this.#timeline, random, backend, say: (line) => this.#say(line) };
    this.#server = new Server(this.#world, demandByTenant(options.rate));
    this.#client = new Client(this.#world, this.#server);
  }

  /** The model and the machine this story is about. */
  get title(): string {
    const { model, gpus, hardware } = this.#world.backend;
    return `${model} on ${gpus} x ${hardware}`;
  }

  /** The scenes to come are the shutdown, and the last. */
  end(): void {
    this.#ending = true;
  }

  *[Symbol.iterator](): Generator<Scene> {
    const { durationMs = Number.POSITIVE_INFINITY } = this.#options;
    // Something always happens at the end, so that the story reaches it: its shutdown is told then, not before.
    if (Number.isFinite(durationMs)) this.#timeline.after(durationMs, () => {});
    this.#server.start(() => this.#awaitRequest());
    while (!this.#ending && this.#timeline.next <= durationMs) {
      this.#timeline.advance();
      yield* this.#take();
    }
    this.#server.stop();
    for (const run of this.#runs) run.abandon('server_shutdown');
    this.#server.sayGoodbye();
    yield* this.#take();
  }

  #awaitRequest(): void {
    this.#timeline.after(this.#world.random.exponential(1000 / this.#options.rate), () => {
      if (this.#world.random.chance(AGENT_RUNS)) this.#beginRun();
      else this.#beginRequest();
      this.#awaitRequest();
    });
  }

  #beginRun(): void {
    const run = new AgentRun(this.#world, this.#client, () => this.#runs.delete(run));
    this.#runs.add(run);
    run.start();
  }

  #beginRequest(): void {
    const request = personalRequest(this.#world);
    this.#client.ask(request, (outcome) => {
      if (!outcome.failure) this.#tellMessage(request.run, outcome);
    });
  }

  #tellMessage(run: string, { inputTokens, outputTokens, durationMs, tokensPerSecond }: Outcome): void {
    const { messages = [], source } = this.#options;
    if (messages.length === 0) return;
    const { random, backend } = this.#world;
    this.#say(
      random.pick(messages).fill(run, {
        model: backend.model,
        source,
        run,
        tokens: outputTokens,
        context: inputTokens + outputTokens,
        tok_s: Math.round(tokensPerSecond),
        latency_ms: Math.round(durationMs),
      }),
    );
  }

  #say(line: Line): void {
    this.#told.push({ at: this.#timeline.now, entry: { ...line, source: this.#options.source } });
  }

  #take(): Scene[] {
    const scenes = this.#told;
    this.#told = [];
    return scenes;
  }
}
