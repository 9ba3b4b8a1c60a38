// Turns the entries of an agent's run into the parts of the AI SDK's UI message stream (version 1), as `useChat` reads them. The parts
// follow from the entries alone, so live and replayed are the same.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCut } from '@llm-streamer/shared/run.ts';
import { usageOf } from '../runs/wire.ts';
import type { PartStream } from './part-stream.ts';

export type UiPart = { type: string } & Record<string, unknown>;

export class UiStream implements PartStream {
  readonly #messageId: string;
  /** The block of text or reasoning to which the next piece belongs. */
  #open: { kind: 'text' | 'reasoning'; id: string } | undefined;
  #blocks = 0;
  #inStep = false;
  /** What this step has said, which may turn out to be reasoning. */
  #said = '';
  readonly #announced = new Set<string>();

  /** @param messageId of the answer */
  constructor(messageId: string) {
    this.#messageId = messageId;
  }

  take(entry: Entry): UiPart[] {
    const { event, msg, attrs = {} } = entry;
    const toolCallId = String(attrs[GEN_AI.toolCallId]);
    switch (event) {
      case EVENTS.runStarted:
        return [this.#start()];
      case EVENTS.generationStarted:
        return [...this.#endStep(), ...this.#beginStep()];
      case EVENTS.generationDelta:
        return this.#say(attrs.kind === 'reasoning' ? 'reasoning' : 'text', msg);
      case EVENTS.generationRetracted:
        return this.#retract();
      case EVENTS.toolAsked:
        return [
          ...this.#announce(toolCallId, attrs),
          { type: 'tool-approval-request', approvalId: String(attrs.approval), toolCallId },
        ];
      case EVENTS.toolDecided: {
        const { approval, approved, reason } = attrs;
        const said = typeof reason === 'string' && { reason };
        return [
          {
            type: 'tool-approval-response',
            approvalId: String(approval),
            approved: approved === true,
            ...said,
          },
        ];
      }
      case EVENTS.toolCalled:
        return this.#announce(toolCallId, attrs);
      case EVENTS.toolReturned:
        return [...this.#announce(toolCallId, attrs), resultPart(toolCallId, msg, attrs[GEN_AI.errorType])];
      case EVENTS.runFinished: {
        const finishReason = Array.isArray(attrs.cut) || isCut(attrs) ? 'length' : 'stop';
        return [
          ...this.#endStep(),
          { type: 'finish', finishReason, messageMetadata: { usage: usageOf(entry) } },
        ];
      }
      case EVENTS.runFailed:
      case EVENTS.runLost:
        return [...this.#endStep(), { type: 'error', errorText: msg }];
      case EVENTS.runCancelled:
        return [...this.#endStep(), { type: 'abort', reason: msg }];
      default:
        return [];
    }
  }

  goOn(): UiPart[] {
    this.#open = undefined;
    this.#inStep = false;
    return [this.#start(), ...this.#beginStep()];
  }

  pause(): UiPart[] {
    return [...this.#endStep(), { type: 'finish' }];
  }

  /** A client of this protocol knows no other way to hear of it. */
  trimmed(): UiPart[] {
    return [{ type: 'message-metadata', messageMetadata: { trimmed: true } }];
  }

  lost(): UiPart[] {
    return [...this.#endStep(), { type: 'error', errorText: 'The log has lost this run.' }];
  }

  #beginStep(): UiPart[] {
    this.#inStep = true;
    this.#said = '';
    return [{ type: 'start-step' }];
  }

  #endStep(): UiPart[] {
    const parts = this.#close();
    if (this.#inStep) parts.push({ type: 'finish-step' });
    this.#inStep = false;
    return parts;
  }

  #start(): UiPart {
    return { type: 'start', messageId: this.#messageId };
  }

  #say(kind: 'text' | 'reasoning', delta: string): UiPart[] {
    const parts: UiPart[] = [];
    if (this.#open?.kind !== kind) {
      parts.push(...this.#close());
      this.#open = { kind, id: `${kind}-${++this.#blocks}` };
      parts.push({ type: `${kind}-start`, id: this.#open.id });
    }
    this.#said += delta;
    parts.push({ type: `${kind}-delta`, id: this.#open.id, delta });
    return parts;
  }

  /** All that the step has said was reasoning. */
  #retract(): UiPart[] {
    const said = this.#said;
    const parts = [...this.#close(), { type: 'reset-step' }];
    this.#said = '';
    return said === '' ? parts : [...parts, ...this.#say('reasoning', said)];
  }

  #close(): UiPart[] {
    if (!this.#open) return [];
    const { kind, id } = this.#open;
    this.#open = undefined;
    return [{ type: `${kind}-end`, id }];
  }

  #announce(toolCallId: string, attrs: Readonly<Record<string, unknown>>): UiPart[] {
    if (this.#announced.has(toolCallId)) return [];
    this.#announced.add(toolCallId);
    const toolName = String(attrs[GEN_AI.tool]);
    const input = attrs.arguments ?? {};
    return [...this.#close(), { type: 'tool-input-available', toolCallId, toolName, input, dynamic: true }];
  }
}

function resultPart(toolCallId: string, msg: string, code: unknown): UiPart {
  if (code === undefined) return { type: 'tool-output-available', toolCallId, output: msg, dynamic: true };
  if (code === 'tool_denied' || code === 'approval_expired')
    return { type: 'tool-output-denied', toolCallId };
  return { type: 'tool-output-error', toolCallId, errorText: msg, dynamic: true };
}
