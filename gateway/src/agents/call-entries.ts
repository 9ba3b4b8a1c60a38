// The entries about calls of tools: on the run's channel with arguments and results, and copies of them for others, which hold neither.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import { toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { seconds } from '../llm/call-attributes.ts';
import { lifecycleCopy, type RunEntries } from '../runs/run-entries.ts';
import type { LanePlan } from '../runs/run-plan.ts';
import type { Decision } from '../runs/store/run-store.ts';
import { cut, type ResultText } from '../tools/result-text.ts';
import { CALL_ERRORS, type CallErrorCode } from './call-errors.ts';

/** A call as the entries name it. */
export interface NamedCall {
  /** Unique in its run. Models may give the same id to several calls, or none. */
  id: string;
  /** As the model knows the tool, whether or not there is one of this name. */
  tool: string;
  args: Readonly<Record<string, unknown>>;
  /** Of the agent: which of its model's answers asks for it. */
  step: number;
}

/** Why a call needs consent: the tool always does, or what an untrusted server said may have led to the call. */
export type AskReason = 'rule' | 'untrusted';

export interface CallOutcome {
  /** What the model reads. */
  text: string;
  durationMs: number;
  /** Bytes of the whole result. */
  bytes: number;
  isCut: boolean;
  code?: CallErrorCode;
}

/** Bytes of an entry besides its text or its arguments. */
const OVERHEAD_BYTES = 2_048;

export class CallEntries {
  readonly #entries: RunEntries;
  readonly #lane: LanePlan;
  readonly #entryBytes: number;
  readonly #content: boolean;

  /** @param content whether the copies for readers of all calls hold arguments and results, if the run belongs to nobody. */
  constructor(entries: RunEntries, lane: LanePlan, entryBytes: number, content: boolean) {
    this.#entries = entries;
    this.#lane = lane;
    this.#entryBytes = entryBytes;
    this.#content = content;
  }

  called(call: NamedCall): EntryFields {
    return this.#entries.entry(EVENTS.toolCalled, toolWords(call.tool), {
      ...this.#attrs(call),
      ...this.#arguments(call),
    });
  }

  asked(call: NamedCall, reason: AskReason, expires: number): EntryFields {
    const why = reason === 'rule' ? '' : ', because of what an untrusted tool has said';
    return this.#entries.entry(
      EVENTS.toolAsked,
      `${toolWords(call.tool)} needs consent${why}`,
      { ...this.#attrs(call), ...this.#arguments(call), approval: call.id, reason, expires },
      'warn',
    );
  }

  /** @param wasCalled false if the call was refused, so that nothing can have happened. */
  returned(call: NamedCall, outcome: CallOutcome, wasCalled: boolean): EntryFields {
    const { text, durationMs, bytes, isCut, code } = outcome;
    // What a server says of its failure is for the model alone: it may quote what nobody else should read.
    const msg = code === undefined ? text : CALL_ERRORS[code];
    return this.#entries.entry(
      EVENTS.toolReturned,
      msg,
      {
        ...this.#attrs(call),
        [ATTRS.duration]: seconds(durationMs),
        bytes,
        ...(isCut && { cut: true }),
        ...(code !== undefined && { [GEN_AI.errorType]: code }),
        ...(!wasCalled && { called: false, ...this.#arguments(call) }),
      },
      code === undefined || code === 'cancelled' ? 'info' : 'warn',
    );
  }

  /** Of an entry about a call, for those who read about the calls of all runs. */
  copy(entry: EntryFields): EntryFields {
    const { owner } = this.#entries;
    const { attrs = {}, msg, event } = entry;
    const isOpen = owner === '' && this.#content;
    const tool = String(attrs[GEN_AI.tool]);
    const said = isOpen ? msg : `${tool} was ${event === EVENTS.toolCalled ? 'called' : 'answered'}`;
    const shown = Object.entries(attrs).filter(([name]) => isOpen || SHOWN.includes(name));
    const { run, ...rest } = entry;
    const own = [GEN_AI.toolCallId, GEN_AI.agent].map((name) => [name, attrs[name]] as const);
    return {
      ...rest,
      ...(owner === '' && run !== undefined && { run }),
      channel: CHANNELS.generation,
      msg: said,
      attrs: Object.fromEntries(owner === '' ? [...shown, ...own] : shown),
    };
  }

  /** The text as it can stand in an entry: the log holds what the model has read. */
  fitting(text: string): ResultText {
    return cut(text, this.#entryBytes - OVERHEAD_BYTES);
  }

  #attrs({ id, tool, step }: NamedCall): Record<string, unknown> {
    return {
      [ATTRS.schema]: GEN_AI_SCHEMA,
      [ATTRS.lane]: this.#lane.prompt.name,
      role: this.#lane.role,
      step,
      [GEN_AI.operation]: 'execute_tool',
      [GEN_AI.tool]: tool,
      [GEN_AI.toolCallId]: id,
    };
  }

  /** Whether the arguments fit into an entry. */
  shows({ args }: NamedCall): boolean {
    return bytesOf(args) <= this.#entryBytes - OVERHEAD_BYTES;
  }

  /** Attributes over the limit of an entry would be left out together, so arguments that are long are left out alone. */
  #arguments(call: NamedCall): Record<string, unknown> {
    return this.shows(call) ? { arguments: call.args } : { arguments_bytes: bytesOf(call.args) };
  }
}

function bytesOf(args: NamedCall['args']): number {
  return Buffer.byteLength(JSON.stringify(args));
}

/** What is told of calls to those who may not know of the run. */
const SHOWN: readonly string[] = [
  ATTRS.schema,
  ATTRS.duration,
  GEN_AI.operation,
  GEN_AI.tool,
  GEN_AI.errorType,
  'bytes',
  'cut',
];

/** Of a decision, which any gateway may write. */
export function decidedEntry(entries: RunEntries, approval: string, decision: Decision): EntryFields {
  const { approved, by, reason } = decision;
  const who = by === undefined ? '' : ` by ${by}`;
  const msg = by === '' ? 'nobody has decided in time' : `${approved ? 'approved' : 'denied'}${who}`;
  return entries.entry(EVENTS.toolDecided, msg, {
    [GEN_AI.toolCallId]: approval,
    approval,
    approved,
    ...(by && { by }),
    ...(reason !== undefined && { reason }),
  });
}

/** Of an entry about a call, for those who read what happens to the owner's runs: without what the model or a person has put into words. */
export function callLifecycle(entry: EntryFields, owner: string): EntryFields {
  const { arguments: _, ...attrs } = entry.attrs ?? {};
  if (entry.event === EVENTS.toolDecided) delete attrs.reason;
  return lifecycleCopy({ ...entry, attrs }, owner);
}
