// One generation, from its first entry to its end. It keeps its last words and not its whole text, so its size is bounded.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { isCancelled } from '@llm-streamer/shared/run.ts';
import { STALLED_MS } from '../fleet/trouble.ts';
import { MAX_TEXT } from '../pictures/words.ts';
import { amountOf, textOf } from '../stream/attribute.ts';
import type { EntryRow } from '../stream/row.ts';

export const MAX_NAME = 80;
/** In a shorter time pieces come as they were put together on their way, and not as they were made. */
const LEAST_RATE_MS = 500;

/** `stopped`: somebody has ended it. `lost`: it is not known any more whether it runs, since it said nothing for long or others were heard later. */
export type State = 'running' | 'finished' | 'stopped' | 'failed' | 'lost';

export class Generation {
  readonly key: string;
  readonly source: string;
  readonly run: string | undefined;
  /** The task of a run, or the name of a span; empty where there is none. */
  readonly lane: string;
  /** The span of OpenTelemetry that it is. */
  readonly span: string | undefined;
  /** The model that was named last. */
  model: string | undefined;
  state: State = 'running';
  /** Undefined where its start was not heard. Times are in ms, by the log's clock. */
  readonly startedAt: number | undefined;
  /** Of its first entry that was heard: when the log got it, and its position there. */
  readonly heardAt: number;
  readonly heardN: number;
  lastAt: number;
  endedAt: number | undefined;
  /** The entry that ended it. */
  endId: string | undefined;
  /** Of its deltas; from its end on the number that was counted, where the end says one. */
  tokens = 0;
  /** Why it failed. */
  error = '';
  #firstAt: number | undefined;
  #firstTokens = 0;
  #words = ' ';
  #reportedFirst: number | undefined;
  #reportedDuration: number | undefined;

  /** `row` is the first that is heard of it; `at` is when the log got that. */
  constructor(key: string, row: EntryRow, at: number) {
    const attrs = row.attrs();
    this.key = key;
    this.source = row.source;
    this.run = row.run;
    this.lane = copyOf(textOf(attrs[ATTRS.lane]) ?? '', MAX_NAME);
    this.span = spanOf(attrs);
    this.startedAt = row.event === EVENTS.generationStarted ? at : undefined;
    this.heardAt = at;
    this.heardN = row.n;
    this.lastAt = at;
    this.name(attrs);
  }

  name(attrs: Record<string, unknown>): void {
    const model = textOf(attrs[GEN_AI.responseModel]) ?? textOf(attrs[GEN_AI.requestModel]);
    if (model !== undefined) this.model = copyOf(model, MAX_NAME);
  }

  addDelta(row: EntryRow, at: number): void {
    if (this.#firstAt === undefined) {
      this.#firstAt = at;
      this.#firstTokens = row.tokens;
    }
    this.lastAt = at;
    this.tokens += row.tokens;
    this.#words = (this.#words + row.msg.slice(-MAX_TEXT)).slice(-MAX_TEXT - 1);
  }

  /** What it has said so far was not its answer. */
  retract(at: number): void {
    this.lastAt = at;
    this.#words = ' ';
  }

  end(row: EntryRow, attrs: Record<string, unknown>, at: number, isWhole: boolean): void {
    this.name(attrs);
    this.state = isWhole ? 'finished' : isCancelled(attrs) ? 'stopped' : 'failed';
    this.endedAt = at;
    this.endId = row.id;
    this.lastAt = at;
    this.tokens = amountOf(attrs[GEN_AI.outputTokens]) ?? this.tokens;
    this.#reportedFirst = amountOf(attrs[GEN_AI.timeToFirstChunk]);
    this.#reportedDuration = amountOf(attrs[ATTRS.duration]);
    if (this.state !== 'failed') return;
    const type = copyOf(textOf(attrs[GEN_AI.errorType]) ?? '', MAX_NAME);
    this.error = [type, copyOf(row.msg, MAX_TEXT)].filter((text) => text !== '').join(' · ');
  }

  /** Its end will not be heard, or not be known for its own. */
  lose(): void {
    this.state = 'lost';
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  /** Whether it has said anything of its answer. */
  get hasBegun(): boolean {
    return this.#firstAt !== undefined;
  }

  get words(): string {
    return this.#words.slice(1);
  }

  /** How long it has run, in ms, by what its end says of that, else by the log's clock. */
  elapsed(now: number): number | undefined {
    if (this.#reportedDuration !== undefined) return this.#reportedDuration * 1000;
    return this.startedAt === undefined ? undefined : Math.max(0, (this.endedAt ?? now) - this.startedAt);
  }

  /** Seconds to its first token: what its service says, else from its start to its first delta. */
  get firstToken(): number | undefined {
    if (this.#reportedFirst !== undefined) return this.#reportedFirst;
    return this.#firstAt === undefined || this.startedAt === undefined
      ? undefined
      : (this.#firstAt - this.startedAt) / 1000;
  }

  /** From its first token to its last. */
  get tokensPerSecond(): number | undefined {
    const [first, duration] = [this.#reportedFirst, this.#reportedDuration];
    if (first !== undefined && duration !== undefined && duration > first)
      return this.tokens / (duration - first);
    const ms = this.lastAt - (this.#firstAt ?? this.lastAt);
    return ms < LEAST_RATE_MS ? undefined : ((this.tokens - this.#firstTokens) * 1000) / ms;
  }

  /** How long it has said nothing, in ms. */
  silence(now: number): number {
    return this.isRunning ? Math.max(0, now - this.lastAt) : 0;
  }

  isStalled(now: number): boolean {
    return this.silence(now) > STALLED_MS;
  }
}

/** The id of the span that an entry tells of: several spans of a trace may have one name, and run at the same time. */
export function spanOf(attrs: Record<string, unknown>): string | undefined {
  const id = textOf(attrs.span_id);
  return id === undefined ? undefined : copyOf(id, MAX_NAME);
}

/** The beginning of a text as a text of its own: a mere part would keep the whole in memory, however long that is. */
function copyOf(text: string, length: number): string {
  return ` ${text.slice(0, length)}`.slice(1);
}
