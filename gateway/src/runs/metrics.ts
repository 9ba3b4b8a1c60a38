// The metrics of runs, model calls and calls of tools; the first two with OpenTelemetry's GenAI names in Prometheus' spelling.

import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { EndState } from '@llm-streamer/shared/run.ts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { GenerationRecord } from './lane.ts';

/** The buckets that the conventions recommend. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

const label = (name: string) => name.replaceAll('.', '_');
const CALL = [label(GEN_AI.operation), label(GEN_AI.provider), label(GEN_AI.requestModel)] as const;
const ERROR = label(GEN_AI.errorType);

export class RunMetrics {
  readonly #duration: Histogram;
  readonly #firstChunk: Histogram;
  readonly #input: Counter;
  readonly #output: Counter;
  readonly #runs: Histogram;
  readonly #tools: Histogram;

  /** @param active the number of runs that are running. */
  constructor(registry: Registry, active: () => number) {
    const registers = [registry];
    this.#duration = new Histogram({
      name: 'gen_ai_client_inference_duration_seconds',
      help: 'Model calls: from the request to the end of the answer.',
      labelNames: [...CALL, ERROR],
      buckets: SECONDS,
      registers,
    });
    this.#firstChunk = new Histogram({
      name: 'gen_ai_client_inference_time_to_first_chunk_seconds',
      help: 'Model calls: from the request to the first content.',
      labelNames: CALL,
      buckets: SECONDS,
      registers,
    });
    this.#input = new Counter({
      name: 'gen_ai_client_inference_usage_input_tokens_total',
      help: 'Tokens given to models, as their services count them.',
      labelNames: CALL,
      registers,
    });
    this.#output = new Counter({
      name: 'gen_ai_client_inference_usage_output_tokens_total',
      help: 'Tokens made by models, as their services count them.',
      labelNames: CALL,
      registers,
    });
    this.#runs = new Histogram({
      name: 'gen_ai_workflow_duration_seconds',
      help: 'Runs that this gateway has ended, by how they ended.',
      labelNames: [label(GEN_AI.workflow), 'state'],
      buckets: SECONDS,
      registers,
    });
    this.#tools = new Histogram({
      name: 'llm_streamer_tool_call_duration_seconds',
      help: 'Calls of tools that agents have made, by tool and by the code of their failure.',
      labelNames: ['tool', ERROR],
      buckets: SECONDS,
      registers,
    });
    new Gauge({
      name: 'llm_streamer_runs_active',
      help: 'Runs of this gateway that are running.',
      registers,
      collect() {
        this.set(active());
      },
    });
  }

  observeGeneration({ lane: { target }, durationMs, finish, error }: GenerationRecord): void {
    const call = {
      [CALL[0]]: 'chat',
      [CALL[1]]: target.provider,
      [CALL[2]]: target.model,
    };
    this.#duration.observe({ ...call, [ERROR]: error?.code ?? '' }, durationMs / 1000);
    if (!finish) return;
    this.#firstChunk.observe(call, finish.firstContentMs / 1000);
    this.#input.inc(call, finish.usage.inputTokens);
    this.#output.inc(call, finish.usage.outputTokens);
  }

  /** @param tool one of the agents file: models' own words are no labels. */
  observeToolCall(tool: string, durationMs: number, code = ''): void {
    this.#tools.observe({ tool, [ERROR]: code }, durationMs / 1000);
  }

  observeRun(workflow: string, state: EndState, durationMs: number): void {
    this.#runs.observe({ [label(GEN_AI.workflow)]: workflow, state }, durationMs / 1000);
  }
}
