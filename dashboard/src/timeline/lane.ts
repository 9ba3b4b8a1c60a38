// A lane of a run, from its entries in any order of arrival: its generations, by step and attempt, and the tools that it calls.

import type { Fact } from './fact.ts';
import { type Generation, GenerationFacts } from './generations.ts';
import { type OpenEnds, openState, partsUpTo } from './open-ends.ts';
import { newSpan, type Part, type Span } from './span.ts';
import { type ToolCall, ToolFacts } from './tool-calls.ts';

export class LaneFacts {
  readonly #name: string;
  readonly #generations = new Map<string, GenerationFacts>();
  readonly #tools = new ToolFacts();
  #source = '';

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds an entry of a generation; false if it would begin another one, and `mayGrow` is false. */
  addGeneration(fact: Fact, mayGrow: boolean): boolean {
    const key = `${fact.step} ${fact.attempt}`;
    let facts = this.#generations.get(key);
    if (!facts) {
      if (!mayGrow) return false;
      facts = new GenerationFacts();
      this.#generations.set(key, facts);
    }
    facts.add(fact);
    // The least of all names, so that it is the same whichever comes first.
    if (this.#source === '' || fact.row.source < this.#source) this.#source = fact.row.source;
    return true;
  }

  addTool(fact: Fact, mayGrow: boolean): boolean {
    if (!mayGrow && !this.#tools.knows(fact)) return false;
    this.#tools.add(fact);
    return true;
  }

  spans(ends: OpenEnds): Span[] {
    const generations = [...this.#generations.values()].flatMap(({ all }) => all);
    generations.sort((a, b) => (beginning(a) ?? 0) - (beginning(b) ?? 0) || order(a, b));
    const calls = this.#tools.all;
    const key = `lane ${this.#name}`;
    if (this.#name === '' && generations.length === 0) return calls.map((call) => toolSpan(key, call, ends));
    const name = this.#name || generations.find(({ model }) => model !== '')?.model || this.#source;
    const [only] = generations;
    if (only && generations.length === 1) {
      const span = generationSpan(key, name, only, ends);
      span.children.push(...calls.map((call) => toolSpan(key, call, ends)));
      return [span];
    }
    return [laneSpan(key, name, generations, calls, ends)];
  }
}

function laneSpan(
  key: string,
  name: string,
  generations: readonly Generation[],
  calls: readonly ToolCall[],
  ends: OpenEnds,
): Span {
  const isRepeated = generations.some(({ attempt }) => attempt > 1);
  const children = generations.map((generation, i) => {
    const { step, attempt } = generation;
    const title = [...(step === '' ? [] : [`step ${step}`]), ...(isRepeated ? [`attempt ${attempt}`] : [])];
    return generationSpan(
      `${key} ${step} ${attempt} ${i}`,
      title.join(' ') || `call ${i + 1}`,
      generation,
      ends,
    );
  });
  const lastOfStep = new Map(generations.map(({ step }, i) => [step, children[i]]));
  for (const call of calls) {
    const caller = call.step === '' ? undefined : lastOfStep.get(call.step);
    (caller?.children ?? children).push(toolSpan(key, call, ends));
  }
  const all = children.flatMap((child) => [child, ...child.children]);
  const last = generations.at(-1);
  const ending = last ? children[generations.length - 1] : children.at(-1);
  return newSpan({
    key,
    kind: 'lane',
    name,
    children,
    model: last?.model ?? '',
    // What failed and was repeated has not failed in the end.
    state: all.some(({ state }) => state === 'running') ? 'running' : (ending?.state ?? 'unknown'),
    error: last?.error ?? '',
    parts: all.flatMap(({ parts }) => parts),
  });
}

export function generationSpan(key: string, name: string, generation: Generation, ends: OpenEnds): Span {
  const { endedAt, ending, facts, error, model, attempt, inputTokens, outputTokens, isEstimated } =
    generation;
  return newSpan({
    key,
    kind: 'generation',
    name,
    state: endedAt === undefined ? openState(ends) : ending,
    parts: generationParts(generation, ends),
    rows: facts.map(({ row }) => row),
    error,
    model,
    attempt,
    inputTokens,
    outputTokens,
    isEstimated,
  });
}

function generationParts({ queuedAt, startedAt, firstAt, endedAt }: Generation, ends: OpenEnds): Part[] {
  const queue = partsUpTo('queue', queuedAt, startedAt ?? firstAt ?? endedAt, ends);
  if (firstAt !== undefined)
    return [
      ...queue,
      ...partsUpTo('first', startedAt, firstAt, ends),
      ...partsUpTo('stream', firstAt, endedAt, ends),
    ];
  if (startedAt === undefined)
    return queue.length > 0 || endedAt === undefined
      ? queue
      : partsUpTo('generation', endedAt, endedAt, ends);
  const isFirst = endedAt === undefined && ends.hasDeltas;
  return [...queue, ...partsUpTo(isFirst ? 'first' : 'generation', startedAt, endedAt, ends)];
}

export function toolSpan(lane: string, call: ToolCall, ends: OpenEnds): Span {
  const { askedAt, decidedAt, calledAt, returnedAt, error, facts, name, key } = call;
  const asked = partsUpTo('approval', askedAt, decidedAt ?? returnedAt, ends);
  // What was asked after the call runs when it has been allowed.
  const begin =
    askedAt === undefined
      ? calledAt
      : decidedAt === undefined
        ? undefined
        : Math.max(calledAt ?? 0, decidedAt);
  const isOver = returnedAt !== undefined;
  const isTold = isOver || ends.isBegun;
  const end = isTold ? returnedAt : (begin ?? askedAt);
  const parts = partsUpTo('tool', begin ?? (asked.length === 0 ? returnedAt : undefined), end, ends);
  return newSpan({
    key: `${lane} tool ${key}`,
    kind: 'tool',
    name: name || 'tool',
    state: isOver ? (error === '' ? 'finished' : 'failed') : isTold ? openState(ends) : 'unknown',
    parts: [...asked, ...parts],
    rows: facts.map(({ row }) => row),
    error,
  });
}

function beginning({ queuedAt, startedAt, firstAt, endedAt }: Generation): number | undefined {
  return queuedAt ?? startedAt ?? firstAt ?? endedAt;
}

function order(a: Generation, b: Generation): number {
  return a.attempt - b.attempt || (a.step < b.step ? -1 : a.step > b.step ? 1 : 0);
}
