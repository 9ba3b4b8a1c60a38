// The life of one run: it asks all tasks at the same time, has their answers combined, and writes each step to the run's channel.

import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { LlmError } from '../llm/failure.ts';
import type { LlmMessage, LlmModel } from '../llm/model.ts';
import { within } from '../tracing/active-span.ts';
import { combinerQuestion, type TaskAnswer } from './combiner-question.ts';
import { turnsOf } from './conversation.ts';
import { Journal } from './journal.ts';
import { type GenerationObserver, type LaneContext, type LaneResult, runLane } from './lane.ts';
import { lifecycleCopy, RunEntries } from './run-entries.ts';
import { RUN_ERRORS } from './run-errors.ts';
import type { LanePlan, RunPlan } from './run-plan.ts';
import { laneSpan, laneSpanEnd } from './run-spans.ts';
import type { RunWork, RunWriter } from './run-work.ts';
import type { RunEnding } from './store/run-store.ts';
import { timeLimit } from './time-limit.ts';
import { type RunTotals, sumOf } from './usage.ts';

export interface PipelineOptions {
  model: LlmModel;
  observer: GenerationObserver;
  /** The label of this gateway. */
  source: string;
  entryBytes: number;
  /** Milliseconds that a run may take. The tasks get a part of it, so that there is time left to combine. */
  timeoutMs: number;
  logContent: boolean;
}

interface TaskResult {
  lane: LanePlan;
  result: LaneResult;
}

const TASKS_SHARE = 0.6;

export class Pipeline implements RunWork {
  readonly #options: PipelineOptions;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  opening(plan: RunPlan): Draft[] {
    const started = new RunEntries(plan, this.#options.source).runStarted(plan.lanes);
    return this.#drafts([started, lifecycleCopy(started, plan.owner)]);
  }

  async run(plan: RunPlan, writer: RunWriter, ended: AbortSignal): Promise<RunEnding | undefined> {
    const began = performance.now();
    const { model, observer, source, entryBytes, logContent, timeoutMs } = this.#options;
    const entries = new RunEntries(plan, source);
    const broken = new AbortController();
    const stopped = AbortSignal.any([ended, broken.signal]);
    const journal = new Journal({
      appender: writer,
      entryBytes,
      delta: (lane, kind, text) => entries.delta(lane, kind, text),
      onBroken: () => broken.abort(new LlmError('cancelled')),
    });
    const tasks = plan.lanes.slice(0, -1);
    const combiner = plan.lanes.at(-1) as LanePlan;
    const context: Omit<LaneContext, 'number'> = { model, journal, entries, observer, logContent };
    const call = async (lane: LanePlan, messages: readonly LlmMessage[], ms: number) => {
      const limit = timeLimit(stopped, ms);
      const span = plan.span?.child(laneSpan(lane));
      try {
        const number = plan.lanes.indexOf(lane) + 1;
        const result = await within(span, () =>
          runLane(lane, messages, { ...context, number, span }, limit.signal),
        );
        span?.end(laneSpanEnd(result));
        return result;
      } finally {
        limit.clear();
      }
    };

    const results = await Promise.all(
      tasks.map(async (lane) => {
        const messages = conversation(lane, plan.history, plan.message);
        return { lane, result: await call(lane, messages, timeoutMs * TASKS_SHARE) };
      }),
    );
    let summary: LaneResult | undefined;
    if (results.some(({ result }) => result.ok) && !stopped.aborted) {
      const messages = conversation(
        combiner,
        plan.history,
        combinerQuestion(plan.message, results.map(answerOf)),
      );
      summary = await call(combiner, messages, timeoutMs - (performance.now() - began));
    }
    if (ended.aborted) return undefined;
    await journal.drain();
    const { ending, last } = this.#conclude(plan, results, summary, performance.now() - began);
    await writer.end(ending, this.#drafts(last));
    return ending;
  }

  /** How a run has ended, and its last entries. */
  #conclude(
    plan: RunPlan,
    results: readonly TaskResult[],
    summary: LaneResult | undefined,
    durationMs: number,
  ) {
    const entries = new RunEntries(plan, this.#options.source);
    const used = [...results.map(({ result }) => result.usage), ...(summary ? [summary.usage] : [])];
    const totals = { ...sumOf(used), durationMs };
    const missing = results.filter(({ result }) => !result.ok).map(({ lane }) => lane.prompt.name);
    const combiner = plan.lanes.at(-1)?.prompt.name;
    const cut = results.filter(({ result }) => result.ok && result.cut).map(({ lane }) => lane.prompt.name);
    if (summary?.ok && summary.cut && combiner !== undefined) cut.push(combiner);
    const attrs = { combiner, ...(missing.length > 0 && { missing }), ...(cut.length > 0 && { cut }) };
    if (summary?.ok) {
      const end = entries.runEnded('finished', finishedSentence(totals, missing, cut), totals, attrs);
      const ending: RunEnding = { state: 'finished', totals };
      const turns = turnsOf(plan, summary.text, this.#options.source);
      return { ending, last: [...turns, end, lifecycleCopy(end, plan.owner)] };
    }
    const partial = results.some(({ result }) => result.text !== '');
    const { code, msg } = summary
      ? { code: 'combine_failed', msg: RUN_ERRORS.combine_failed }
      : { code: 'no_answer', msg: RUN_ERRORS.no_answer };
    const end = entries.runEnded('failed', msg, totals, { ...attrs, partial }, code);
    const ending: RunEnding = { state: 'failed', code, totals };
    return { ending, last: [end, lifecycleCopy(end, plan.owner)] };
  }

  #drafts(entries: readonly EntryFields[]): Draft[] {
    return entries.map((fields) => draft(fields, this.#options.entryBytes));
  }
}

/** The messages that a lane's model gets. */
function conversation({ prompt }: LanePlan, history: readonly LlmMessage[], question: string): LlmMessage[] {
  return [{ role: 'system', content: prompt.system }, ...history, { role: 'user', content: question }];
}

/** What the combiner gets of a task. */
function answerOf({ lane: { prompt }, result }: TaskResult): TaskAnswer {
  const { name } = prompt;
  return result.ok ? { name, text: result.text, cut: result.cut } : { name, missing: result.error.message };
}

function finishedSentence(
  { outputTokens, durationMs }: RunTotals,
  missing: readonly string[],
  cut: readonly string[],
): string {
  const without = missing.length > 0 ? `, without ${missing.join(', ')}` : '';
  const short = cut.length > 0 ? `; cut off: ${cut.join(', ')}` : '';
  return `run finished: ${outputTokens} tokens in ${(durationMs / 1000).toFixed(1)} s${without}${short}`;
}
