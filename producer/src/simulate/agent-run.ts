// One multi-agent run: a plan, a fan-out of lanes that call tools and generate, a join, a combined answer. It ends
// exactly once, and its totals are the sums of its generations.

import type { Level } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS, type EventName } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import type { Client } from './client.ts';
import { laneRequest } from './demand.ts';
import type { Outcome } from './generation.ts';
import { TASKS, type Task, type Tool } from './tasks.ts';
import type { World } from './world.ts';

const TOOL_FAILS = 0.06;
const TOOL_TIMEOUT_MS = 5_000;
/** The share of runs that read whole documents; these fill the KV cache. */
const READS_DOCUMENTS = 0.35;
/** How much of the context window the documents take. */
const DOCUMENTS_SHARE = 0.65;

export class AgentRun {
  readonly #id: string;
  readonly #world: World;
  readonly #client: Client;
  readonly #ended: () => void;
  readonly #task: Task;
  readonly #startedAt: number;
  readonly #promptTokens: number;
  #inputTokens = 0;
  #outputTokens = 0;
  #isOver = false;

  constructor(world: World, client: Client, ended: () => void) {
    this.#world = world;
    this.#client = client;
    this.#ended = ended;
    this.#id = `run-${world.random.hex(8)}`;
    this.#task = world.random.pick(TASKS);
    this.#promptTokens = world.random.chance(READS_DOCUMENTS)
      ? DOCUMENTS_SHARE * world.backend.maxModelLength
      : 900;
    this.#startedAt = world.timeline.now;
  }

  start(): void {
    const { workflow, question } = this.#task;
    this.#writeEvent('info', EVENTS.runStarted, `run started: ${question}`, {
      [GEN_AI.workflow]: workflow,
      [GEN_AI.requestModel]: this.#world.backend.model,
    });
    this.#generate('llm-plan', 420, (outcome) => {
      if (outcome.failure) this.#end(outcome.failure);
      else this.#fanOut();
    });
  }

  /** Ends the run at once as failed. */
  abandon(failure: string): void {
    this.#end(failure);
  }

  #fanOut(): void {
    const { workflow, steps } = this.#task;
    const titles = steps.map(({ title }) => title);
    this.#writeEvent('info', EVENTS.agentPlanned, `planned ${steps.length} steps: ${titles.join('; ')}`, {
      [GEN_AI.agent]: 'orchestrator',
      [GEN_AI.workflow]: workflow,
      steps: titles,
    });
    let open = steps.length;
    let done = 0;
    const laneEnded = (outcome: Outcome) => {
      if (!outcome.failure) done++;
      if (--open === 0 && !this.#isOver) this.#join(done, steps.length);
    };
    steps.forEach(({ tool }, index) => {
      const lane = `llm-${index + 1}`;
      const size = this.#promptTokens * this.#world.random.between(0.8, 1.25);
      const generate = () => this.#generate(lane, size, laneEnded);
      if (tool) this.#callTool(lane, tool, generate);
      else generate();
    });
  }

  #callTool(lane: string, tool: Tool, then: () => void): void {
    const { random, timeline } = this.#world;
    const callId = `call_${random.hex(8)}`;
    const attrs = { [ATTRS.lane]: lane, [GEN_AI.tool]: tool.name, [GEN_AI.toolCallId]: callId };
    this.#writeEvent('info', EVENTS.toolCalled, `${tool.name}(${tool.call})`, attrs);
    const fails = random.chance(TOOL_FAILS);
    const ms = fails ? TOOL_TIMEOUT_MS : Math.round(random.lognormal(tool.ms, 0.5));
    timeline.after(ms, () => {
      if (this.#isOver) return;
      const duration = { ...attrs, [ATTRS.duration]: ms / 1000 };
      if (fails) {
        const failed = { ...duration, [GEN_AI.errorType]: 'timeout' };
        this.#writeEvent(
          'warn',
          EVENTS.toolReturned,
          `${tool.name} timed out after ${ms / 1000} s, going on without it`,
          failed,
        );
      } else
        this.#writeEvent(
          'info',
          EVENTS.toolReturned,
          `${tool.name} returned ${tool.result} in ${ms} ms`,
          duration,
        );
      then();
    });
  }

  #join(done: number, lanes: number): void {
    if (done === 0) {
      this.#end('all_lanes_failed');
      return;
    }
    this.#writeEvent(
      done === lanes ? 'info' : 'warn',
      EVENTS.agentJoined,
      `joined ${done} of ${lanes} lanes`,
      {
        [GEN_AI.agent]: 'orchestrator',
        lanes,
        lanes_done: done,
      },
    );
    this.#generate('llm-combine', 700 + 120 * done, (outcome) => this.#end(outcome.failure));
  }

  #generate(lane: string, promptTokens: number, settle: (outcome: Outcome) => void): void {
    this.#client.ask(laneRequest(this.#world, this.#id, lane, Math.round(promptTokens)), (outcome) => {
      this.#inputTokens += outcome.inputTokens;
      this.#outputTokens += outcome.outputTokens;
      if (outcome.failure !== 'server_shutdown') settle(outcome);
    });
  }

  #end(failure?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const seconds = (this.#world.timeline.now - this.#startedAt) / 1000;
    const totals = {
      [GEN_AI.workflow]: this.#task.workflow,
      [GEN_AI.inputTokens]: this.#inputTokens,
      [GEN_AI.outputTokens]: this.#outputTokens,
      [ATTRS.duration]: seconds,
    };
    if (failure) {
      const msg = `run failed after ${seconds.toFixed(1)} s: ${failure.replaceAll('_', ' ')}`;
      this.#writeEvent('error', EVENTS.runFailed, msg, { ...totals, [GEN_AI.errorType]: failure });
    } else {
      const msg = `run finished in ${seconds.toFixed(1)} s: ${this.#inputTokens} tokens in, ${this.#outputTokens} out`;
      this.#writeEvent('info', EVENTS.runFinished, msg, totals);
    }
    this.#ended();
  }

  #writeEvent(level: Level, event: EventName, msg: string, attrs: Record<string, unknown>): void {
    this.#world.writeLine({
      channel: CHANNELS.runs,
      level,
      event,
      run: this.#id,
      msg,
      attrs: { [ATTRS.schema]: GEN_AI_SCHEMA, ...attrs },
    });
  }
}
