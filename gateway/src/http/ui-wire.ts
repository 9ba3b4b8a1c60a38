// A run as the AI SDK's UI message stream. The stream ends where a call waits for consent, because a client sends its answer only after that;
// the run goes on, and the client reads the rest when it has answered.

import type { PageItem } from '@llm-streamer/shared/broker/broker.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import { type UiPart, UiStream } from '../agents/ui-stream.ts';
import { isEnd } from '../runs/wire.ts';
import type { RunWire, WireOutput } from './run-wire.ts';

const HEADERS = { 'x-vercel-ai-ui-message-stream': 'v1' };
const DONE = sseFrame({ data: '[DONE]' });

export class UiWire implements RunWire {
  readonly headers = HEADERS;
  readonly #stream: UiStream;
  readonly #decided: ReadonlySet<string>;
  #isGoingOn: boolean;

  /**
   * @param decided the approvals that do not wait any more.
   * @param isGoingOn whether this stream goes on with an earlier one, whose entries it is to skip first.
   */
  constructor(messageId: string, decided: ReadonlySet<string>, isGoingOn = false) {
    this.#stream = new UiStream(messageId);
    this.#decided = decided;
    this.#isGoingOn = isGoingOn;
  }

  /** The next entry of the earlier stream. */
  skip(entry: Entry): void {
    this.#stream.take(entry);
  }

  next({ record }: PageItem): WireOutput {
    // Entries of the run are no longer kept; a client of this protocol knows no other way to hear of it.
    if (!record)
      return {
        text: frameOf({ type: 'message-metadata', messageMetadata: { trimmed: true } }),
        isLast: false,
      };
    const { entry } = record;
    const first = this.#isGoingOn ? this.#stream.goOn() : [];
    this.#isGoingOn = false;
    const parts = [...first, ...this.#stream.take(entry)];
    const waits = entry.event === EVENTS.toolAsked && !this.#decided.has(String(entry.attrs?.approval));
    if (waits) parts.push(...this.#stream.endStep(), { type: 'finish' });
    const isLast = waits || isEnd(entry);
    return { text: parts.map(frameOf).join('') + (isLast ? DONE : ''), isLast };
  }

  lost(): string {
    return frameOf({ type: 'error', errorText: 'The log has lost this run.' }) + DONE;
  }
}

function frameOf(part: UiPart): string {
  return sseFrame({ data: JSON.stringify(part) });
}
