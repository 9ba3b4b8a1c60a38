// The form in which a run is streamed. By default it is that of POST /api/process, or for an agent's run of POST /agents/chat-stream: each
// entry says itself of which kind its run is.

import type { PageItem } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position } from '@llm-streamer/shared/broker/position.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import { type AgentEvent, agentEvent, isAgents } from '../agents/wire.ts';
import type { RunIdentity } from '../runs/run-plan.ts';
import { isEnd, lostEvent, trimmedEvent, type WireEvent, wireEvent } from '../runs/wire.ts';

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
  readonly #run: Pick<RunIdentity, 'id' | 'conversationId'>;

  constructor(run: Pick<RunIdentity, 'id' | 'conversationId'>) {
    this.#run = run;
  }

  next({ record, gap }: PageItem): WireOutput {
    const { id } = this.#run;
    if (gap) return { text: frameOf(trimmedEvent(id), gap.before - 1), isLast: false };
    const { entry, n } = record;
    const event = isAgents(entry) ? agentEvent(entry, this.#run) : wireEvent(entry, id);
    return { text: event ? frameOf(event, n) : '', isLast: isEnd(entry) };
  }

  lost(): string {
    return frameOf(lostEvent(this.#run.id));
  }
}

function frameOf({ event, data }: WireEvent | AgentEvent, position?: Position): string {
  const id = position !== undefined && { id: formatPosition(position) };
  return sseFrame({ event, ...id, data: JSON.stringify(data) });
}
