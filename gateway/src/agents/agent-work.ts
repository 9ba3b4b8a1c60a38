// Does the run of an agent: gives the loop its model and its tools, writes what happens to the run's channel, and ends the run.

import { randomUUID } from 'node:crypto';
import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { EVERYONE } from '../auth/principal.ts';
import { LlmError } from '../llm/failure.ts';
import type { LlmModel } from '../llm/model.ts';
import type { Targets } from '../runs/config.ts';
import { turnsOf, unansweredOf } from '../runs/conversation.ts';
import { Journal } from '../runs/journal.ts';
import { type GenerationObserver, type LaneContext, runLane } from '../runs/lane.ts';
import { lifecycleCopy, RunEntries } from '../runs/run-entries.ts';
import { RUN_ERRORS } from '../runs/run-errors.ts';
import type { LanePlan, RunOutline, RunPlan } from '../runs/run-plan.ts';
import type { AskingWriter, RunWork } from '../runs/run-work.ts';
import type { Decision, RunEnding } from '../runs/store/run-store.ts';
import { sumOf } from '../runs/usage.ts';
import { mayMatch } from '../tools/tool-names.ts';
import type { Tool, Toolbox, ToolServerState } from '../tools/toolbox.ts';
import { within } from '../tracing/active-span.ts';
import type { Agent, AgentSource } from './agent.ts';
import { type AskReason, CallEntries, callLifecycle, decidedEntry, type NamedCall } from './call-entries.ts';
import { type LoopResult, runLoop } from './loop.ts';
import { ToolRunner } from './tool-runner.ts';
import { WorkClock } from './work-clock.ts';

export interface AgentWorkOptions {
  model: LlmModel;
  agents: AgentSource;
  toolbox: Toolbox;
  targets: Targets;
  observer: GenerationObserver;
  /** The label of this gateway. */
  source: string;
  entryBytes: number;
  logContent: boolean;
  /** Milliseconds that a call waits for consent. */
  approvalMs: number;
  /** Called for every call of a tool that was made. */
  onToolCalled(tool: string, durationMs: number, code?: string): void;
}

export class AgentWork implements RunWork {
  readonly #options: AgentWorkOptions;

  constructor(options: AgentWorkOptions) {
    this.#options = options;
  }

  /** @throws CodedError `agent_not_found` */
  outline(name: string): RunOutline {
    const { agents, targets } = this.#options;
    const prompt = this.#agent(name);
    if (!prompt)
      throw new CodedError('agent_not_found', 'there is no agent of this name', { field: 'agent' });
    const { version } = agents.current;
    return { promptVersion: version, lanes: [{ prompt, target: targets.of(prompt), role: 'agent' }] };
  }

  opening(plan: RunPlan): Draft[] {
    const lane = plan.lanes[0] as LanePlan;
    const servers = serversOf(lane.prompt as Agent, this.#options.toolbox);
    const down = servers.flatMap(({ state, name }) => (state === 'down' ? [name] : []));
    const attrs = { ...(down.length > 0 && { servers_down: down }) };
    const entries = new RunEntries(plan, this.#options.source);
    const started = entries.runStarted(plan.lanes, attrs);
    // The turns of its conversation are written at its end. Whoever watches this run must know what was asked.
    const question = entries.entry(EVENTS.conversationTurn, plan.message, { role: 'user' });
    return this.#drafts([started, question, lifecycleCopy(started, plan.owner)]);
  }

  async run(plan: RunPlan, writer: AskingWriter, ended: AbortSignal): Promise<RunEnding | undefined> {
    const { model, toolbox, observer, source, entryBytes, logContent, onToolCalled } = this.#options;
    const began = performance.now();
    const lane = plan.lanes[0] as LanePlan;
    // The prompt of the plan is what the file said when the run began.
    const agent = lane.prompt as Agent;
    const { tools: patterns, limits } = agent;
    const entries = new RunEntries(plan, source);
    const broken = new AbortController();
    const clock = new WorkClock(limits.timeout_ms);
    const signal = AbortSignal.any([ended, broken.signal, clock.signal]);
    const journal = new Journal({
      appender: writer,
      entryBytes,
      delta: (of, kind, text) => entries.delta(of, kind, text),
      onBroken: () => broken.abort(new LlmError('cancelled')),
    });
    const calls = new CallEntries(entries, lane, entryBytes, logContent);
    const { owner } = plan;
    const runner = new ToolRunner({
      toolbox,
      lane,
      limits,
      journal,
      entries: calls,
      clock,
      context: { principal: owner === '' ? EVERYONE.name : owner, nonce: randomUUID() },
      isTainted: plan.isTainted === true,
      signal,
      consent: async (call, reason) => {
        await journal.drain();
        return this.#consent(call, reason, { entries, calls, writer, signal });
      },
      span: plan.span,
      onEntry: (fields) => observer.onEntry(fields),
      onCalled: onToolCalled,
    });
    const context: Omit<LaneContext, 'number'> = { model, journal, entries, observer, logContent };
    await toolbox.ready();
    // A server that hangs has not been found to be down yet.
    const missing = serversOf(agent, toolbox).flatMap(({ state, name }) => (state === 'up' ? [] : [name]));
    const result = await runLoop(openingOf(lane, plan, missing), {
      limits,
      tools: () => toolbox.tools(patterns),
      ask: (messages, tools, number, toolChoice) =>
        clock.during(() =>
          within(plan.span, () =>
            runLane(
              lane,
              messages,
              { ...context, number, tools: tools.map(offered), toolChoice, span: plan.span },
              signal,
            ),
          ),
        ),
      call: (asked, tools, step) => runner.run(asked, tools, step),
      calls: () => runner.count,
    });
    if (ended.aborted) return undefined;
    await journal.drain();
    const { ending, last } = this.#conclude(plan, entries, result, runner, performance.now() - began);
    await writer.end(ending, this.#drafts(last));
    return ending;
  }

  async #consent(
    call: NamedCall,
    reason: AskReason,
    { entries, calls, writer, signal }: Consenting,
  ): Promise<Decision | undefined> {
    const { approvalMs } = this.#options;
    const asked = calls.asked(call, reason, Date.now() + approvalMs);
    await writer.ask(call.id, this.#drafts([asked, callLifecycle(asked, entries.owner)]));
    const waiting = new AbortController();
    const late = setTimeout(() => {
      const decision: Decision = { approved: false, by: '' };
      const entry = decidedEntry(entries, call.id, decision);
      writer
        .decide(call.id, decision, this.#drafts([entry, callLifecycle(entry, entries.owner)]))
        .catch(() => waiting.abort()); // the log is away for good: the next write says so
    }, approvalMs);
    try {
      return await writer.decided(call.id, AbortSignal.any([signal, waiting.signal]));
    } finally {
      clearTimeout(late);
    }
  }

  /** How a run has ended, and its last entries. */
  #conclude(plan: RunPlan, entries: RunEntries, result: LoopResult, runner: ToolRunner, durationMs: number) {
    const totals = { ...sumOf(result.used), durationMs };
    const { steps, limit } = result;
    const { count: calls, isTainted } = runner;
    const attrs = { steps, tool_calls: calls, ...(limit && { limit }) };
    const name = plan.lanes[0]?.prompt.name;
    if (result.ok) {
      const short = result.cut && { cut: [name] };
      const msg = `run finished: ${totals.outputTokens} tokens, ${calls} ${calls === 1 ? 'call' : 'calls'} of tools in ${(durationMs / 1000).toFixed(1)} s`;
      const end = entries.runEnded('finished', msg, totals, { ...attrs, ...short });
      const ending: RunEnding = { state: 'finished', totals };
      const turns = turnsOf(plan, result.text, this.#options.source, isTainted || undefined);
      return { ending, last: [...turns, end, lifecycleCopy(end, plan.owner)] };
    }
    const code = result.error.code === 'llm_timeout' ? 'agent_timeout' : 'agent_failed';
    const end = entries.runEnded(
      'failed',
      RUN_ERRORS[code],
      totals,
      { ...attrs, partial: result.partial },
      code,
    );
    const ending: RunEnding = { state: 'failed', code, totals };
    const asked = { text: plan.message, time: plan.asked };
    const turns = unansweredOf(plan, asked, 'failed', this.#options.source);
    return { ending, last: [...turns, end, lifecycleCopy(end, plan.owner)] };
  }

  #agent(name: string): Agent | undefined {
    return this.#options.agents.current.agents.find((agent) => agent.name === name);
  }

  #drafts(entries: readonly EntryFields[]): Draft[] {
    return entries.map((fields) => draft(fields, this.#options.entryBytes));
  }
}

interface Consenting {
  entries: RunEntries;
  calls: CallEntries;
  writer: AskingWriter;
  signal: AbortSignal;
}

function offered({ name, description, parameters }: Tool) {
  return { name, description, parameters };
}

/** The servers with tools that the agent may have. */
function serversOf({ tools: patterns }: Agent, toolbox: Toolbox): ToolServerState[] {
  return toolbox.servers().filter(({ name }) => patterns.some((pattern) => mayMatch(pattern, `${name}__`)));
}

function openingOf({ prompt }: LanePlan, { history, message }: RunPlan, missing: readonly string[]) {
  const told =
    missing.length > 0
      ? `\n\nThe tools of these servers are not available now: ${missing.join(', ')}. If the answer needs them, say so.`
      : '';
  return [
    { role: 'system', content: prompt.system + told } as const,
    ...history,
    { role: 'user', content: message } as const,
  ];
}
