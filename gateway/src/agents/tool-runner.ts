// Makes the calls that the model of one run asks for. Whether one is made is decided here, by the rules of the configuration and by what
// has happened in the run, and never by what a model or a server says. A call that fails, or is not made, is a result for the model.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { LlmMessage, LlmToolCall } from '../llm/model.ts';
import type { Journal } from '../runs/journal.ts';
import type { LanePlan } from '../runs/run-plan.ts';
import type { Decision } from '../runs/store/run-store.ts';
import type { CallContext, Tool, Toolbox } from '../tools/toolbox.ts';
import type { Span } from '../tracing/span.ts';
import type { AgentLimits } from './agent.ts';
import type { AskReason, CallEntries, CallOutcome, NamedCall } from './call-entries.ts';
import { CALL_ERRORS, type CallErrorCode } from './call-errors.ts';
import { callSpan, callSpanEnd } from './call-spans.ts';
import type { WorkClock } from './work-clock.ts';

export interface ToolRunnerOptions {
  toolbox: Toolbox;
  lane: LanePlan;
  limits: AgentLimits;
  journal: Journal;
  entries: CallEntries;
  clock: WorkClock;
  context: Omit<CallContext, 'callId'>;
  /** Whether the model has been given what strangers wrote already, by earlier turns of the conversation. */
  isTainted: boolean;
  /** Aborts when the run is over, or has taken its time. */
  signal: AbortSignal;
  /** Asks for consent, and resolves with the answer; undefined if the run ends meanwhile. */
  consent(call: NamedCall, reason: AskReason): Promise<Decision | undefined>;
  /** That of the run; absent where nothing is traced. */
  span: Span | undefined;
  /** Gets the copy of each entry for the log of all calls. */
  onEntry(fields: EntryFields): void;
  onCalled(tool: string, durationMs: number, code?: string): void;
}

type Refusal = { code: CallErrorCode; reason?: string };

export class ToolRunner {
  readonly #options: ToolRunnerOptions;
  /** How often each call was made, by the tool and its arguments. */
  readonly #made = new Map<string, number>();
  /** The tools to which somebody has consented for the rest of the run. */
  readonly #consented = new Set<string>();
  #count = 0;
  #asked = 0;
  #isTainted: boolean;

  constructor(options: ToolRunnerOptions) {
    this.#options = options;
    this.#isTainted = options.isTainted;
  }

  /** Calls that the model has asked for within the limits, also those that were not made. */
  get count(): number {
    return this.#count;
  }

  /** Whether the model has been given what strangers wrote. */
  get isTainted(): boolean {
    return this.#isTainted;
  }

  /**
   * Makes the calls of one answer side by side, and resolves with a result for each, in their order.
   * @throws the errors of the writer, `fenced` included.
   */
  run(calls: readonly LlmToolCall[], tools: readonly Tool[], step: number): Promise<LlmMessage[]> {
    // What comes back in this step cannot have led to its own calls.
    const isTainted = this.#isTainted;
    return Promise.all(
      calls.map(async (asked, i): Promise<LlmMessage> => {
        const { name, args } = asked;
        const call: NamedCall = { id: `call-${++this.#asked}`, tool: name, args, step };
        const tool = tools.find((one) => one.name === name);
        const code = this.#refusal(asked, i, tool);
        const content =
          tool && !code
            ? await this.#make(call, tool, isTainted)
            : this.#refuse(call, { code: code ?? 'tool_unknown' });
        return { role: 'tool', call: asked, content };
      }),
    );
  }

  #refusal(
    { name, args, isBroken }: LlmToolCall,
    index: number,
    tool: Tool | undefined,
  ): CallErrorCode | undefined {
    const { calls, calls_per_step, same_call } = this.#options.limits;
    if (index >= calls_per_step || this.#count >= calls) return 'agent_too_many_calls';
    this.#count++;
    if (!tool) return 'tool_unknown';
    if (isBroken) return 'tool_bad_arguments';
    const key = JSON.stringify([name, args]);
    const made = (this.#made.get(key) ?? 0) + 1;
    this.#made.set(key, made);
    return made > same_call ? 'agent_loop' : undefined;
  }

  /** Resolves with what the model reads. */
  async #make(call: NamedCall, tool: Tool, isTainted: boolean): Promise<string> {
    const { consent, journal, lane, entries, toolbox, clock, context, signal, span, onEntry, onCalled } =
      this.#options;
    const reason = this.#needsConsent(tool, isTainted);
    if (reason) {
      // Nobody can consent to what he does not see.
      if (!entries.shows(call)) return this.#refuse(call, { code: 'tool_bad_arguments' });
      const decision = await consent(call, reason);
      if (!decision) return this.#refuse(call, { code: 'cancelled' });
      if (!decision.approved)
        return this.#refuse(call, {
          code: decision.by === '' ? 'approval_expired' : 'tool_denied',
          ...(decision.reason !== undefined && { reason: decision.reason }),
        });
      if (tool.approval === 'once_per_run') this.#consented.add(tool.name);
    }
    const called = entries.called(call);
    journal.appendEntry(called, lane);
    onEntry(entries.copy(called));
    await journal.drain(); // after a crash nobody has to wonder whether the call was tried
    const began = performance.now();
    const made = span?.child(callSpan(call));
    const result = await clock.during(() =>
      toolbox.call(
        tool,
        call.args,
        { ...context, callId: call.id, ...(made && { trace: made.headers() }) },
        signal,
      ),
    );
    made?.end(callSpanEnd(result.code));
    this.#isTainted ||= tool.untrusted;
    const { text, isCut } = entries.fitting(result.text);
    const durationMs = performance.now() - began;
    onCalled(tool.name, durationMs, result.code);
    const outcome: CallOutcome = {
      text,
      durationMs,
      bytes: result.bytes,
      isCut: isCut || result.isCut,
      ...(result.code !== undefined && { code: result.code }),
    };
    this.#tell(call, outcome, true);
    return text;
  }

  #needsConsent({ name, approval, readOnly }: Tool, isTainted: boolean): AskReason | undefined {
    if (isTainted && !readOnly) return 'untrusted';
    if (approval === 'never' || (approval === 'once_per_run' && this.#consented.has(name))) return undefined;
    return 'rule';
  }

  /** The result of a call that was not made. */
  #refuse(call: NamedCall, { code, reason }: Refusal): string {
    const text = JSON.stringify({
      code,
      message: CALL_ERRORS[code],
      ...(reason !== undefined && { reason }),
    });
    this.#tell(call, { text, durationMs: 0, bytes: 0, isCut: false, code }, false);
    return text;
  }

  #tell(call: NamedCall, outcome: CallOutcome, wasCalled: boolean): void {
    const { journal, lane, entries, onEntry } = this.#options;
    const returned = entries.returned(call, outcome, wasCalled);
    journal.appendEntry(returned, lane);
    // Of a call that was not made nobody else learns: its name is what a model has written.
    if (wasCalled) onEntry(entries.copy(returned));
  }
}
