// The life of one LLM backend, as a sequence of entries on a virtual clock. The same seed, source, rate and messages give the
// same sequence; nothing waits, and nothing is published here.

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
  /** The length of the story in milliseconds; without it, only `end()` ends the story. */
  durationMs?: number;
  /** One of these, filled with the numbers of the generation, is written for each generation that finishes. */
  messages?: readonly MessageTemplate[];
}

/** An entry, and when it is written: `at` is in milliseconds since the story began. */
export interface Scene {
  at: number;
  entry: Omit<EntryFields, 'time'>;
}

/** The share of the requests that begin an agent run. */
const AGENT_RUNS = 0.1;

export class Story implements Iterable<Scene> {
  readonly #options: StoryOptions;
  readonly #timeline = new Timeline();
  readonly #world: World;
  readonly #server: Server;
  readonly #client: Client;
  readonly #runs = new Set<AgentRun>();
  #scenes: Scene[] = [];
  #ending = false;

  constructor(options: StoryOptions) {
    this.#options = options;
    const random = new Random(`${options.seed}/${options.source}`);
    const backend = random.pick(BACKENDS);
    this.#world = { timeline: this.#timeline, random, backend, writeLine: (line) => this.#writeLine(line) };
    this.#server = new Server(this.#world, demandByTenant(options.rate));
    this.#client = new Client(this.#world, this.#server);
  }

  /** The model and the machine this story is about. */
  get title(): string {
    const { model, gpus, hardware } = this.#world.backend;
    return `${model} on ${gpus} x ${hardware}`;
  }

  /** Ends the story: only the scenes of the shutdown follow. */
  end(): void {
    this.#ending = true;
  }

  *[Symbol.iterator](): Generator<Scene> {
    const { durationMs = Number.POSITIVE_INFINITY } = this.#options;
    // An action at the very end: without it the last scenes, of the shutdown, would have the time of the action before.
    if (Number.isFinite(durationMs)) this.#timeline.after(durationMs, () => {});
    this.#server.start(() => this.#awaitRequest());
    while (!this.#ending && this.#timeline.next <= durationMs) {
      this.#timeline.advance();
      yield* this.#drainScenes();
    }
    this.#server.stop();
    for (const run of this.#runs) run.abandon('server_shutdown');
    this.#server.writeShutdown();
    yield* this.#drainScenes();
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
      if (!outcome.failure) this.#writeMessage(request.run, outcome);
    });
  }

  #writeMessage(run: string, { inputTokens, outputTokens, durationMs, tokensPerSecond }: Outcome): void {
    const { messages = [], source } = this.#options;
    if (messages.length === 0) return;
    const { random, backend } = this.#world;
    this.#writeLine(
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

  #writeLine(line: Line): void {
    this.#scenes.push({ at: this.#timeline.now, entry: { ...line, source: this.#options.source } });
  }

  #drainScenes(): Scene[] {
    const scenes = this.#scenes;
    this.#scenes = [];
    return scenes;
  }
}
