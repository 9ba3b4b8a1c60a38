// Runs a pipeline against the simulator, with the run's channel in memory.

import type { Draft, Entry, EntryFields } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import { newRun, type RunSnapshot, reduceRun } from '@llm-streamer/shared/run.ts';
import type { LlmModel } from '../../src/llm/model.ts';
import { ProviderModel } from '../../src/llm/provider.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SIMULATED } from '../../src/llm/target.ts';
import type { GenerationRecord } from '../../src/runs/lane.ts';
import { Pipeline, type PipelineOptions } from '../../src/runs/pipeline.ts';
import type { LanePlan, RunPlan } from '../../src/runs/run-plan.ts';
import type { RunWriter } from '../../src/runs/run-work.ts';
import type { RunEnding } from '../../src/runs/store/run-store.ts';
import { timeoutsFor } from '../llm/collect.ts';

/** A run's channel in memory: entries until its end, then `fenced`. */
export class MemoryWriter implements RunWriter {
  readonly entries: Entry[] = [];
  ends: string[] = [];

  async append(drafts: readonly Draft[]): Promise<void> {
    if (this.ends.length > 0) throw new PublishRefused('fenced', 'the run has ended');
    this.entries.push(...drafts.map(({ body }) => JSON.parse(body) as Entry));
  }

  async end(ending: RunEnding, drafts: readonly Draft[]): Promise<void> {
    await this.append(drafts);
    this.ends.push(ending.state);
  }

  onChannel(prefix: string): Entry[] {
    return this.entries.filter(({ channel }) => channel.startsWith(prefix));
  }

  get view(): RunSnapshot {
    return this.onChannel('runs:').reduce(reduceRun, newRun('m1'));
  }
}

export const lane = (name: string, model: string, system = 'Be careful.'): LanePlan => ({
  prompt: { name, system },
  target: { ...SIMULATED, model },
  role: name === 'llm-combine' ? 'combiner' : 'task',
});

interface Setup {
  models?: string[];
  combiner?: string;
  tokenMs?: number;
  options?: Partial<PipelineOptions>;
  plan?: Partial<RunPlan>;
  ended?: AbortSignal;
}

export async function process({
  models = ['a', 'b'],
  combiner = 'c',
  tokenMs = 0,
  options,
  plan,
  ended,
}: Setup = {}) {
  const simulator = new Simulator({ chunkTokens: 4, tokenMs });
  const model: LlmModel = {
    stream: (request, signal) =>
      new ProviderModel(timeoutsFor(request.target.model), simulator.fetch).stream(request, signal),
  };
  const observed: EntryFields[] = [];
  const records: GenerationRecord[] = [];
  const pipeline = new Pipeline({
    model,
    observer: {
      onEntry: (fields) => observed.push(fields),
      onGenerationEnded: (record) => records.push(record),
    },
    source: 'gw-test',
    entryBytes: 65_536,
    timeoutMs: 60_000,
    logContent: false,
    ...options,
  });
  const writer = new MemoryWriter();
  const run: RunPlan = {
    owner: '',
    id: 'm1',
    promptVersion: 'v1',
    message: 'Explain gravity like I am 5',
    asked: Date.now(),
    history: [],
    lanes: [
      ...models.map((name, i) => lane(`llm-${i + 1}`, name)),
      lane('llm-combine', combiner, 'Combine.'),
    ],
    ...plan,
  };
  await writer.append(pipeline.opening(run));
  const outcome = await pipeline
    .run(run, writer, ended ?? new AbortController().signal)
    .catch((error) => error);
  return { writer, observed, records, simulator, outcome };
}
