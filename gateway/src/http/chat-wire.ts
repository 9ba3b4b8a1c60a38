// A run in the protocol of a chat client. The stream ends where a call waits for consent, because clients send their answer only after that;
// the run goes on, and the client reads the rest when it has answered.

import type { PageItem } from '@llm-streamer/shared/broker/broker.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import type { PartStream } from '../agents/part-stream.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { isEnd } from '../runs/wire.ts';
import type { RunWire, WireOutput } from './run-wire.ts';

export interface ChatWireOptions {
  headers?: Readonly<Record<string, string>>;
  /** What follows the last part. */
  last?: string;
  /** Whether this stream goes on with an earlier one, whose entries it is to skip first. */
  isGoingOn?: boolean;
}

export class ChatWire implements RunWire {
  readonly headers: Readonly<Record<string, string>>;
  readonly #stream: PartStream;
  /** The approvals that do not wait any more. */
  readonly #decided: ReadonlySet<string>;
  readonly #last: string;
  #isGoingOn: boolean;

  constructor(
    stream: PartStream,
    { approvals }: Pick<RunRecord, 'approvals'>,
    { headers = {}, last = '', isGoingOn = false }: ChatWireOptions = {},
  ) {
    this.#stream = stream;
    this.#decided = new Set(approvals.flatMap(({ id, decision }) => (decision ? [id] : [])));
    this.headers = headers;
    this.#last = last;
    this.#isGoingOn = isGoingOn;
  }

  /** The next entry of the earlier stream. */
  skip(entry: Entry): void {
    this.#stream.take(entry);
  }

  next({ record }: PageItem): WireOutput {
    if (!record) return { text: framesOf(this.#stream.trimmed()), isLast: false };
    const { entry } = record;
    const first = this.#isGoingOn ? this.#stream.goOn() : [];
    this.#isGoingOn = false;
    const parts = [...first, ...this.#stream.take(entry)];
    const waits = entry.event === EVENTS.toolAsked && !this.#decided.has(String(entry.attrs?.approval));
    if (waits) parts.push(...this.#stream.pause(entry));
    const isLast = waits || isEnd(entry);
    return { text: framesOf(parts) + (isLast ? this.#last : ''), isLast };
  }

  lost(): string {
    return framesOf(this.#stream.lost()) + this.#last;
  }
}

function framesOf(parts: readonly object[]): string {
  return parts.map((part) => sseFrame({ data: JSON.stringify(part) })).join('');
}
