// Turns the entries of an agent's run into the events of AG-UI 1.0, as its `HttpAgent` reads them: one run of the protocol, begun once and
// ended once, whose messages, calls and steps are opened before they are used and closed before the end.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCut } from '@llm-streamer/shared/run.ts';
import { failureOf, usageOf } from '../runs/wire.ts';
import type { PartStream } from './part-stream.ts';

export type AgUiEvent = { type: string } & Record<string, unknown>;

export interface AgUiRun {
  /** Of the log. Ids of messages and calls begin with it, since clients keep those of all runs of a thread together. */
  id: string;
  threadId: string;
  /** As the client names this request. Where it goes on after consent, that is another name for the same run of the log. */
  runId: string;
}

const PROTOCOL = '1.0';
/** What answers a question for consent. */
const CONSENT_SCHEMA = {
  type: 'object',
  properties: { approved: { type: 'boolean' }, reason: { type: 'string' } },
  required: ['approved'],
};

/** How a call is named, and the consent that it waits for. */
export function callIdOf(run: string, call: string): string {
  return `${run}/${call}`;
}

export class AgUiStream implements PartStream {
  readonly #run: AgUiRun;
  /** The message to which the next piece belongs. */
  #open: { kind: 'text' | 'reasoning'; id: string } | undefined;
  #messages = 0;
  #steps = 0;
  #step: string | undefined;
  /** What this step has said, which may turn out to be reasoning, and in which messages. */
  #said = '';
  #saidIn: string[] = [];
  /** The message that makes the calls of this step. */
  #parent: string | undefined;
  readonly #announced = new Set<string>();
  #hasBegun = false;
  #hasEnded = false;

  constructor(run: AgUiRun) {
    this.#run = run;
  }

  take(entry: Entry): AgUiEvent[] {
    if (this.#hasEnded) return [];
    const events = this.#eventsOf(entry);
    return events.length > 0 ? [...this.#begin(), ...events] : events;
  }

  goOn(): AgUiEvent[] {
    this.#hasBegun = false;
    this.#hasEnded = false;
    this.#open = undefined;
    return [...this.#begin(), ...this.#beginStep()];
  }

  pause({ msg, attrs = {} }: Entry): AgUiEvent[] {
    const id = callIdOf(this.#run.id, String(attrs.approval));
    const expires = new Date(Number(attrs.expires));
    const asked = {
      ...{ id, toolCallId: id, reason: 'tool_call', message: msg, responseSchema: CONSENT_SCHEMA },
      ...(!Number.isNaN(expires.getTime()) && { expiresAt: expires.toISOString() }),
    };
    return this.#end({ outcome: { type: 'interrupt', interrupts: [asked] } });
  }

  trimmed(): AgUiEvent[] {
    return [...this.#begin(), { type: 'CUSTOM', name: 'history_trimmed', value: {} }];
  }

  lost(): AgUiEvent[] {
    return this.#fail({ message: 'The log has lost this run.', code: 'run_lost' });
  }

  #eventsOf(entry: Entry): AgUiEvent[] {
    const { event, msg, attrs = {} } = entry;
    const call = String(attrs[GEN_AI.toolCallId]);
    switch (event) {
      case EVENTS.runStarted:
        return this.#begin();
      case EVENTS.generationStarted:
        return [...this.#endStep(), ...this.#beginStep()];
      case EVENTS.generationDelta:
        return msg === '' ? [] : this.#say(attrs.kind === 'reasoning' ? 'reasoning' : 'text', msg);
      case EVENTS.generationRetracted:
        return this.#retract();
      case EVENTS.toolAsked:
      case EVENTS.toolCalled:
        return this.#announce(call, attrs);
      case EVENTS.toolReturned: {
        const toolCallId = callIdOf(this.#run.id, call);
        const result = { messageId: `${toolCallId}/result`, toolCallId, role: 'tool', content: msg };
        return [...this.#announce(call, attrs), { type: 'TOOL_CALL_RESULT', ...result }];
      }
      case EVENTS.runFinished: {
        const { limit } = attrs;
        const short = Array.isArray(attrs.cut) || isCut(attrs);
        const result = {
          finish_reason: short ? 'length' : 'stop',
          ...(typeof limit === 'string' && { limit }),
        };
        return this.#end({ outcome: { type: 'success' }, result, ...usage(entry) });
      }
      case EVENTS.runCancelled:
        return this.#end({ outcome: { type: 'cancelled' } });
      case EVENTS.runFailed:
      case EVENTS.runLost: {
        const { code, message } = failureOf(entry);
        return this.#fail({ message, code, ...usage(entry) });
      }
      default:
        return [];
    }
  }

  #begin(): AgUiEvent[] {
    if (this.#hasBegun) return [];
    this.#hasBegun = true;
    const { threadId, runId } = this.#run;
    return [{ type: 'RUN_STARTED', threadId, runId, protocolVersion: PROTOCOL }];
  }

  #end(how: Record<string, unknown>): AgUiEvent[] {
    const { threadId, runId } = this.#run;
    const events = this.#endStep();
    this.#hasEnded = true;
    return [...events, { type: 'RUN_FINISHED', threadId, runId, ...how }];
  }

  #fail(why: Record<string, unknown>): AgUiEvent[] {
    const events = this.#endStep();
    this.#hasEnded = true;
    return [...events, { type: 'RUN_ERROR', ...why }];
  }

  #beginStep(): AgUiEvent[] {
    this.#step = `step ${++this.#steps}`;
    this.#said = '';
    this.#saidIn = [];
    this.#parent = undefined;
    return [{ type: 'STEP_STARTED', stepName: this.#step }];
  }

  #endStep(): AgUiEvent[] {
    const events = this.#close();
    if (this.#step !== undefined) events.push({ type: 'STEP_FINISHED', stepName: this.#step });
    this.#step = undefined;
    return events;
  }

  #say(kind: 'text' | 'reasoning', delta: string): AgUiEvent[] {
    const events: AgUiEvent[] = [];
    if (this.#open?.kind !== kind) {
      events.push(...this.#close());
      const messageId = this.#messageId();
      this.#open = { kind, id: messageId };
      if (kind === 'reasoning') {
        events.push({ type: 'REASONING_START', messageId });
        events.push({ type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' });
      } else {
        this.#parent = messageId;
        this.#saidIn.push(messageId);
        events.push({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' });
      }
    }
    if (kind === 'text') this.#said += delta;
    const type = kind === 'text' ? 'TEXT_MESSAGE_CONTENT' : 'REASONING_MESSAGE_CONTENT';
    events.push({ type, messageId: this.#open.id, delta });
    return events;
  }

  /** All text of the step was reasoning. The protocol takes nothing back, so a client is told which messages are void. */
  #retract(): AgUiEvent[] {
    const [said, messageIds] = [this.#said, this.#saidIn];
    if (said === '') return [];
    this.#said = '';
    this.#saidIn = [];
    this.#parent = undefined;
    return [
      ...this.#close(),
      { type: 'CUSTOM', name: 'retracted', value: { messageIds } },
      ...this.#say('reasoning', said),
    ];
  }

  #close(): AgUiEvent[] {
    if (!this.#open) return [];
    const { kind, id: messageId } = this.#open;
    this.#open = undefined;
    if (kind === 'text') return [{ type: 'TEXT_MESSAGE_END', messageId }];
    return [
      { type: 'REASONING_MESSAGE_END', messageId },
      { type: 'REASONING_END', messageId },
    ];
  }

  #announce(call: string, attrs: Readonly<Record<string, unknown>>): AgUiEvent[] {
    if (this.#announced.has(call)) return [];
    this.#announced.add(call);
    this.#parent ??= this.#messageId();
    const toolCallId = callIdOf(this.#run.id, call);
    const named = { toolCallName: String(attrs[GEN_AI.tool]), parentMessageId: this.#parent };
    return [
      ...this.#close(),
      { type: 'TOOL_CALL_START', toolCallId, ...named },
      { type: 'TOOL_CALL_ARGS', toolCallId, delta: JSON.stringify(attrs.arguments ?? {}) },
      { type: 'TOOL_CALL_END', toolCallId },
    ];
  }

  #messageId(): string {
    return `${this.#run.id}/${++this.#messages}`;
  }
}

/** A count that is not known is left out. */
function usage(entry: Entry): { usage?: object[] } {
  const { input_tokens, output_tokens } = usageOf(entry);
  const counts = {
    ...(Number.isSafeInteger(input_tokens) && { inputTokens: input_tokens }),
    ...(Number.isSafeInteger(output_tokens) && { outputTokens: output_tokens }),
  };
  return Object.keys(counts).length > 0 ? { usage: [counts] } : {};
}
