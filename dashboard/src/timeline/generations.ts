// The generations of one lane, one step and one attempt, from their entries in any order of arrival. Usually it is one; a lane that
// begins again after an end has several.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { CANCELLED } from '@llm-streamer/shared/run.ts';
import { LATE_MS } from '../stream/ended-generations.ts';
import { beginOf, byLog, type Fact } from './fact.ts';
import type { SpanState } from './span.ts';

/** Undefined: not known. */
export interface Generation {
  step: string;
  attempt: number;
  queuedAt: number | undefined;
  startedAt: number | undefined;
  firstAt: number | undefined;
  endedAt: number | undefined;
  /** How it has ended, where that was told. */
  ending: SpanState;
  error: string;
  model: string;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  /** Whether the number of tokens is that of its deltas, and not what the service has counted. */
  isEstimated: boolean;
  /** Of the deltas only the first. */
  facts: Fact[];
}

export class GenerationFacts {
  readonly #facts: Fact[] = [];
  #isSorted = true;
  #derived: readonly Generation[] | undefined;

  add(fact: Fact): void {
    const last = this.#facts.at(-1);
    if (last && byLog(last, fact) > 0) this.#isSorted = false;
    this.#facts.push(fact);
    this.#derived = undefined;
  }

  get all(): readonly Generation[] {
    if (!this.#isSorted) this.#facts.sort(byLog);
    this.#isSorted = true;
    this.#derived ??= generationsOf(this.#facts);
    return this.#derived;
  }
}

function generationsOf(facts: readonly Fact[]): Generation[] {
  const found: Generation[] = [];
  let current: Generation | undefined;
  for (const fact of facts) {
    if (current && isToldAgain(current, fact)) {
      current.facts.push(fact);
      continue;
    }
    if (!current || isOther(current, fact)) {
      current = emptyGeneration(fact);
      found.push(current);
    }
    take(current, fact);
  }
  return found;
}

/** One start, or end, may be told on two channels, to those who may read the texts and to all. */
function isToldAgain({ facts }: Generation, { event, time, row }: Fact): boolean {
  return (
    event !== EVENTS.generationDelta &&
    facts.some(
      (each) =>
        each.event === event &&
        each.row.channel !== row.channel &&
        each.row.source === row.source &&
        Math.abs(each.time - time) <= LATE_MS,
    )
  );
}

/** Whether an entry belongs to the next generation, because this one has that already. */
function isOther(current: Generation, { event }: Fact): boolean {
  const { queuedAt, startedAt, firstAt, endedAt } = current;
  if (event === EVENTS.requestQueued) return [queuedAt, startedAt, firstAt, endedAt].some(isKnown);
  if (event === EVENTS.generationStarted) return [startedAt, endedAt].some(isKnown);
  return endedAt !== undefined;
}

function isKnown(value: number | undefined): boolean {
  return value !== undefined;
}

function emptyGeneration({ step, attempt }: Fact): Generation {
  return {
    step,
    attempt,
    queuedAt: undefined,
    startedAt: undefined,
    firstAt: undefined,
    endedAt: undefined,
    ending: 'finished',
    error: '',
    model: '',
    inputTokens: undefined,
    outputTokens: undefined,
    isEstimated: true,
    facts: [],
  };
}

function take(generation: Generation, fact: Fact): void {
  const { event, time, row } = fact;
  if (event === EVENTS.generationDelta) {
    if (generation.firstAt === undefined) generation.facts.push(fact);
    generation.firstAt ??= time;
    generation.outputTokens = (generation.outputTokens ?? 0) + row.tokens;
    return;
  }
  generation.facts.push(fact);
  if (fact.model !== '') generation.model = fact.model;
  if (event === EVENTS.requestQueued) generation.queuedAt = time;
  else if (event === EVENTS.generationStarted) generation.startedAt = time;
  else end(generation, fact);
}

function end(generation: Generation, fact: Fact): void {
  const begin = beginOf(fact);
  generation.endedAt = fact.time;
  const isFailed = fact.event === EVENTS.generationFailed;
  generation.ending = !isFailed ? 'finished' : fact.error === CANCELLED ? 'stopped' : 'failed';
  generation.error = generation.ending === 'failed' ? fact.error || 'failed' : '';
  generation.inputTokens = fact.inputTokens;
  if (fact.outputTokens !== undefined) {
    generation.outputTokens = fact.outputTokens;
    generation.isEstimated = false;
  }
  if (begin === undefined) return;
  if (generation.queuedAt === undefined) generation.startedAt ??= begin;
  // What the service says of its first token is more exact than the entry of the first words, which waits for more of them.
  const told = fact.firstChunk === undefined ? undefined : begin + fact.firstChunk * 1000;
  const earliest = generation.startedAt ?? generation.queuedAt ?? begin;
  if (told !== undefined && told >= earliest && told <= fact.time) generation.firstAt = told;
}
