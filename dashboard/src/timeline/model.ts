// A run as a picture: entries in, in any order of arrival, and the tree of its spans out. The same entries give the same picture, live
// and from history; it depends on nothing on screen. What it keeps is bounded, and what does not fit is counted.

import { EVENTS } from '@llm-streamer/shared/events.ts';
import { CANCELLED, RUN_END } from '@llm-streamer/shared/run.ts';
import { LOST_MS } from '../stream/ended-generations.ts';
import type { EntryRow } from '../stream/row.ts';
import { type CriticalPart, criticalPath } from './critical-path.ts';
import { beginOf, byLog, byTime, type Fact, readFact } from './fact.ts';
import { LaneFacts } from './lane.ts';
import type { OpenEnds } from './open-ends.ts';
import { newSpan, type Span, type SpanState, settle, spansIn } from './span.ts';
import { type Totals, totalsOf } from './totals.ts';
import { TraceFacts } from './trace.ts';

export const MAX_ENTRIES = 20_000;
export const MAX_SPANS = 2_000;
/** Entries that are no deltas. Repeated calls of a tool without an id count as one span, so MAX_SPANS does not bound them. */
const MAX_MOMENTS = 3 * MAX_SPANS;
const MAX_BYTES = 32 * 1024 * 1024;
const WARN = 3;

export interface Picture {
  root: Span;
  /** How the run ended, in a word; '' while nobody has said so. */
  ending: string;
  /** Whether the run's first entry is here. */
  isBegun: boolean;
  /** Whether something must have come before all that is here. Of a single request, nobody says that a run begins. */
  lacksBeginning: boolean;
  /** Whether it changes as time goes on. */
  isRunning: boolean;
  /** In the order of time. */
  critical: readonly CriticalPart[];
  totals: Totals;
}

export class RunModel {
  /** Entries that did not fit. */
  dropped = 0;
  readonly #run: string;
  readonly #seen = new Set<string>();
  readonly #lanes = new Map<string, LaneFacts>();
  readonly #traces = new TraceFacts();
  /** The run's beginnings and ends. */
  readonly #life: Fact[] = [];
  readonly #steps: Fact[] = [];
  readonly #warnings: Fact[] = [];
  #entries = 0;
  #moments = 0;
  #bytes = 0;
  #places = 0;
  #lastAt = 0;
  #hasDeltas = false;
  /** By the log. */
  #first: Fact | undefined;

  constructor(run: string) {
    this.#run = run;
  }

  /** An entry that has been counted before changes nothing. */
  count(row: EntryRow): void {
    if (row.id !== undefined && this.#seen.has(row.id)) return;
    const moments = this.#moments + (row.event === EVENTS.generationDelta ? 0 : 1);
    if (this.#entries >= MAX_ENTRIES || moments > MAX_MOMENTS || this.#bytes + row.bytes > MAX_BYTES) {
      this.dropped++;
      return;
    }
    if (row.id !== undefined) this.#seen.add(row.id);
    this.#entries++;
    this.#moments = moments;
    this.#bytes += row.bytes;
    const fact = readFact(row);
    this.#lastAt = Math.max(this.#lastAt, fact.time);
    if (!this.#first || byLog(fact, this.#first) < 0) this.#first = fact;
    if (!this.#place(fact)) this.dropped++;
  }

  /** `now` is the log's time in ms. */
  picture(now: number): Picture {
    const ends = this.#life.filter(({ event }) => Object.hasOwn(RUN_END, event)).sort(byTime);
    const end = ends.at(-1);
    const begin = this.#life.filter(({ event }) => event === EVENTS.runStarted).sort(byTime)[0];
    const isForgotten = now - this.#lastAt > LOST_MS;
    const open: OpenEnds = {
      edge: end?.time ?? (isForgotten ? this.#lastAt : Math.max(now, this.#lastAt)),
      isRunning: !end && !isForgotten,
      isBegun: begin !== undefined,
      hasDeltas: this.#hasDeltas,
    };
    const children = this.#children(open, begin);
    const isRunning = open.isRunning && (begin !== undefined || children.some(isOpen));
    const times = [begin?.time, end?.time, ...(isRunning ? [open.edge] : [])].filter(
      (time) => time !== undefined,
    );
    const root = newSpan({
      key: 'run',
      kind: 'run',
      name: this.#run,
      state: stateOf(end, isRunning, this.#entries === 0 || begin !== undefined || children.some(isUnknown)),
      error: end && end.event !== EVENTS.runFinished && end.error !== CANCELLED ? end.error : '',
      rows: this.#life.sort(byTime).map(({ row }) => row),
      children,
      ...(times.length > 0 && { from: Math.min(...times), to: Math.max(...times) }),
    });
    settle(root);
    this.#warn(root);
    return {
      root,
      ending: end ? (RUN_END[end.event] ?? '') : '',
      isBegun: begin !== undefined,
      lacksBeginning:
        begin === undefined && (end !== undefined || (this.#first !== undefined && isLater(this.#first))),
      isRunning,
      critical: criticalPath(root),
      totals: totalsOf(root),
    };
  }

  get entries(): number {
    return this.#entries;
  }

  /** Keeps a fact where it belongs; false if there is no place for it. */
  #place(fact: Fact): boolean {
    const { event, span, row } = fact;
    if (event === EVENTS.generationDelta) this.#hasDeltas = true;
    if (event === EVENTS.runStarted || Object.hasOwn(RUN_END, event)) {
      this.#life.push(fact);
      return span === '' || event === EVENTS.runStarted || this.#grow((may) => this.#traces.add(fact, may));
    }
    const isModel = isOfModel(event);
    const isTool = event.startsWith('tool.');
    if (span !== '' && (isModel || isTool || SPAN_EVENTS.includes(event)))
      return this.#grow((may) => this.#traces.add(fact, may));
    if (isModel || isTool) {
      const lane = this.#lane(fact.lane);
      return (
        lane !== undefined &&
        this.#grow((may) => (isTool ? lane.addTool(fact, may) : lane.addGeneration(fact, may)))
      );
    }
    if (event.startsWith('agent.') || event === EVENTS.workflowFinished) {
      return this.#grow((may) => may && this.#steps.push(fact) > 0);
    }
    if (row.level >= WARN) this.#warnings.push(fact);
    return true;
  }

  /** Gives lines of trouble to what they are about, else to the run. */
  #warn(root: Span): void {
    const spans = new Map([...spansIn(root)].map((span) => [span.key, span]));
    for (const { span, lane, row } of this.#warnings.sort(byTime)) {
      const about = span === '' ? spans.get(`lane ${lane}`) : spans.get(`span ${span}`);
      (about ?? root).warnings.push(row);
    }
  }

  /** Calls `add` with whether one more place may be taken; `add` says whether it has kept what it should. */
  #grow(add: (mayGrow: boolean) => boolean): boolean {
    if (add(false)) return true;
    if (this.#places >= MAX_SPANS) return false;
    this.#places++;
    return add(true);
  }

  #lane(name: string): LaneFacts | undefined {
    let lane = this.#lanes.get(name);
    if (!lane && this.#lanes.size < MAX_SPANS) {
      lane = new LaneFacts(name);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #children(ends: OpenEnds, begin: Fact | undefined): Span[] {
    const lanes = [...this.#lanes.values()].flatMap((lane) => lane.spans(ends));
    const waiting = [...new Set(begin?.planned)].filter((name) => !this.#lanes.has(name));
    return [
      ...this.#traces.spans(ends),
      ...lanes,
      ...this.#steps.map(stepSpan),
      ...waiting.map((name) => newSpan({ key: `lane ${name}`, kind: 'lane', name, state: 'waiting' })),
    ];
  }
}

/** What an agent says that it has done, at one moment. */
function stepSpan({ row, time, event, name }: Fact): Span {
  return newSpan({
    key: `step ${row.id ?? row.raw}`,
    kind: 'step',
    name: [name, event.split('.')[1] ?? ''].filter((word) => word !== '').join(' '),
    state: 'finished',
    rows: [row],
    parts: [{ kind: 'work', from: time, to: time }],
  });
}

const SPAN_EVENTS: readonly string[] = [
  EVENTS.agentFinished,
  EVENTS.workflowFinished,
  EVENTS.spanStarted,
  EVENTS.spanFinished,
];

const ENDS: readonly string[] = [
  EVENTS.generationFinished,
  EVENTS.generationFailed,
  EVENTS.toolReturned,
  EVENTS.spanFinished,
];

function isOfModel(event: string): boolean {
  return (
    event === EVENTS.requestQueued ||
    event === EVENTS.generationStarted ||
    event === EVENTS.generationDelta ||
    event === EVENTS.generationFinished ||
    event === EVENTS.generationFailed
  );
}

/** Whether an entry tells how something goes on or ends that has begun in another one. */
function isLater(fact: Fact): boolean {
  return fact.event === EVENTS.generationDelta || (ENDS.includes(fact.event) && beginOf(fact) === undefined);
}

function isOpen(span: Span): boolean {
  return [...spansIn(span)].some(({ state }) => state === 'running');
}

function isUnknown(span: Span): boolean {
  return [...spansIn(span)].some(({ kind, state }) => state === 'unknown' && kind !== 'unknown');
}

/** @param lacksEnd whether an end is to be expected: the run, or something in it, has begun, or nothing is known of it. */
function stateOf(end: Fact | undefined, isRunning: boolean, lacksEnd: boolean): SpanState {
  if (end?.event === EVENTS.runCancelled) return 'stopped';
  if (end) return end.event === EVENTS.runFinished ? 'finished' : 'failed';
  if (isRunning) return 'running';
  return lacksEnd ? 'unknown' : 'finished';
}
