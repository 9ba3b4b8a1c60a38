// The form in which a run is streamed. By default it is that of POST /api/process, or for an agent's run of POST /agents/chat-stream.

import type { PageItem } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position } from '@llm-streamer/shared/broker/position.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import { type AgentEvent, agentEvent, agentLost, agentTrimmed } from '../agents/wire.ts';
import type { RunIdentity } from '../runs/run-plan.ts';
import { isEnd, lostEvent, type StreamedRun, trimmedEvent, type WireEvent, wireEvent } from '../runs/wire.ts';

export interface WireOutput {
  /** What is sent for the item; '' for nothing. */
  text: string;
  isLast: boolean;
}

/**
 * Belongs to one stream. What it sends follows from the items alone, so live and replayed are the same; only that of chat clients ends, and
 * goes on, by what the run waits for when the stream begins.
 */
export interface RunWire {
  readonly headers?: Readonly<Record<string, string>>;
  next(item: PageItem): WireOutput;
  /** What is sent if the log has lost the run. */
  lost(): string;
}

export class EventWire implements RunWire {
  readonly #run: StreamedRun;
  readonly #isOfAgent: boolean;

  constructor(run: StreamedRun & Pick<RunIdentity, 'agent'>) {
    this.#run = run;
    this.#isOfAgent = run.agent !== undefined;
  }

  next({ record, gap }: PageItem): WireOutput {
    const run = this.#run;
    if (gap) {
      const trimmed = this.#isOfAgent ? agentTrimmed(run) : trimmedEvent(run);
      return { text: frameOf(trimmed, gap.before - 1), isLast: false };
    }
    const { entry, n } = record;
    const event = this.#isOfAgent ? agentEvent(entry, run) : wireEvent(entry, run.id);
    return { text: event ? frameOf(event, n) : '', isLast: isEnd(entry) };
  }

  lost(): string {
    return frameOf(this.#isOfAgent ? agentLost(this.#run) : lostEvent(this.#run));
  }
}

function frameOf({ event, data }: WireEvent | AgentEvent, position?: Position): string {
  const id = position !== undefined && { id: formatPosition(position) };
  return sseFrame({ event, ...id, data: JSON.stringify(data) });
}
