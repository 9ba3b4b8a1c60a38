// Calls of tools that one source has made, that have not returned and whose run has not ended. It keeps the first 64, because the longest
// wait is what matters. What waits for somebody's consent is no call yet; and what a generation has called before its end is handed to its
// caller, who may never say what became of it.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { runKeyOf } from '../state/run-key.ts';
import type { EntryRow } from '../stream/row.ts';

const MAX_CALLS = 64;
const MAX_NAME = 80;
const MAX_KEY = 500;

export interface OpenCall {
  tool: string;
  run: string | undefined;
  /** As a link to the run's picture names it. */
  runKey: string | undefined;
  lane: unknown;
  /** When it was made, in ms by the log's clock. */
  at: number;
}

const ENDS_OF_RUNS: ReadonlySet<string> = new Set([
  EVENTS.runFinished,
  EVENTS.runFailed,
  EVENTS.runCancelled,
  EVENTS.runLost,
]);

export class OpenCalls {
  /** By run and call, in the order in which they were made. */
  readonly #calls = new Map<string, OpenCall>();

  count(row: EntryRow, at: number): void {
    const { event, run } = row;
    if (event === EVENTS.toolCalled) this.#open(row, at);
    else if (event === EVENTS.toolReturned || event === EVENTS.toolAsked) this.#calls.delete(keyOf(row));
    else if (this.#calls.size === 0 || event === undefined) return;
    else if (ENDS_OF_RUNS.has(event)) this.#end((call) => call.run === run);
    else if (event === EVENTS.generationFinished || event === EVENTS.generationFailed) {
      const lane = row.attrs()[ATTRS.lane];
      this.#end((call) => call.run === run && call.lane === lane);
    }
  }

  /** The one that was made first. */
  get oldest(): OpenCall | undefined {
    return this.#calls.values().next().value;
  }

  /** Takes in those that are known from before its own. */
  addEarlier(earlier: OpenCalls): void {
    const own = [...this.#calls];
    this.#calls.clear();
    for (const [key, call] of [...earlier.#calls, ...own].slice(0, MAX_CALLS)) this.#calls.set(key, call);
  }

  get all(): OpenCall[] {
    return [...this.#calls.values()];
  }

  /** Forgets those of other runs. */
  keep(runs: ReadonlySet<string>): void {
    this.#end(({ run }) => run === undefined || !runs.has(run));
  }

  #open(row: EntryRow, at: number): void {
    const key = keyOf(row);
    // The same call may be told on two channels, to those who may read its arguments and to all.
    if (this.#calls.has(key) || this.#calls.size >= MAX_CALLS) return;
    const { [GEN_AI.tool]: tool, [ATTRS.lane]: lane } = row.attrs();
    const name = typeof tool === 'string' && tool !== '' ? tool.slice(0, MAX_NAME) : 'a tool';
    this.#calls.set(key, { tool: name, run: row.run, runKey: runKeyOf(row), lane, at });
  }

  #end(isEnded: (call: OpenCall) => boolean): void {
    for (const [key, call] of this.#calls) if (isEnded(call)) this.#calls.delete(key);
  }
}

function keyOf(row: EntryRow): string {
  const attrs = row.attrs();
  return JSON.stringify([row.run, attrs[GEN_AI.toolCallId] ?? [attrs[ATTRS.lane], attrs[GEN_AI.tool]]]).slice(
    0,
    MAX_KEY,
  );
}
