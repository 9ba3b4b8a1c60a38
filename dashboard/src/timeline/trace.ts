// The spans of other programs, by their ids: parents and children in any order of arrival. A parent that has not come is a row of its
// own, which its children keep when it comes.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { beginOf, byTime, type Fact } from './fact.ts';
import { GenerationFacts } from './generations.ts';
import { generationSpan } from './lane.ts';
import { type OpenEnds, openState, partsUpTo } from './open-ends.ts';
import { newSpan, type Span, type SpanKind } from './span.ts';

const KINDS: Readonly<Record<string, SpanKind>> = {
  [EVENTS.toolReturned]: 'tool',
  [EVENTS.agentFinished]: 'agent',
  [EVENTS.workflowFinished]: 'agent',
};
const STARTED: readonly string[] = [EVENTS.spanStarted, EVENTS.generationStarted];

export class TraceFacts {
  readonly #facts = new Map<string, Fact[]>();

  add(fact: Fact, mayGrow: boolean): boolean {
    if (!mayGrow && !this.#facts.has(fact.span)) return false;
    const facts = this.#facts.get(fact.span);
    if (facts) facts.push(fact);
    else this.#facts.set(fact.span, [fact]);
    return true;
  }

  /** The spans without a parent, with all others within them. */
  spans(ends: OpenEnds): Span[] {
    const spans = new Map<string, Span>();
    const parents = new Map<string, string>();
    for (const [id, facts] of this.#facts) {
      facts.sort(byTime);
      spans.set(id, spanOf(id, facts, ends));
      const parent = facts.find((fact) => fact.parent !== '')?.parent;
      if (parent !== undefined && parent !== id) parents.set(id, parent);
    }
    return rootsOf(spans, parents);
  }
}

function spanOf(id: string, facts: readonly Fact[], ends: OpenEnds): Span {
  const key = `span ${id}`;
  const end = facts.findLast(({ event }) => !STARTED.includes(event));
  const named = end ?? facts[0];
  const isModel = facts.some(({ event }) => event.startsWith('generation.'));
  if (isModel) {
    const generations = new GenerationFacts();
    for (const fact of facts) generations.add(fact);
    // A span ends once: whatever else claims to be it is left out.
    const [generation] = generations.all;
    if (generation)
      return generationSpan(key, named?.lane || generation.model || 'generation', generation, ends);
  }
  const from =
    end?.start ??
    facts.find(({ event }) => STARTED.includes(event))?.time ??
    (end && (beginOf(end) ?? end.time));
  const kind = KINDS[end?.event ?? ''] ?? 'span';
  const error = end?.error || (end?.event === EVENTS.runFailed ? 'failed' : '');
  return newSpan({
    key,
    kind,
    name: named?.name || named?.tool || 'span',
    state: end ? (error === '' ? 'finished' : 'failed') : openState(ends),
    parts: partsUpTo(kind === 'tool' ? 'tool' : 'work', from, end?.time, ends),
    rows: facts.map(({ row }) => row),
    error,
  });
}

function rootsOf(spans: Map<string, Span>, parents: ReadonlyMap<string, string>): Span[] {
  for (const parent of parents.values()) {
    if (!spans.has(parent))
      spans.set(parent, newSpan({ key: `span ${parent}`, kind: 'unknown', name: 'not logged yet' }));
  }
  const roots: Span[] = [];
  const inCircle = circular(parents);
  for (const [id, span] of spans) {
    const parent = parents.get(id);
    if (parent === undefined || inCircle.has(id)) roots.push(span);
    else spans.get(parent)?.children.push(span);
  }
  return roots;
}

/** Spans that are each other's parents, which only a broken or hostile sender tells of: all of them stand at the root. */
function circular(parents: ReadonlyMap<string, string>): Set<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  for (const start of parents.keys()) {
    const way: string[] = [];
    let at: string | undefined = start;
    for (; at !== undefined && !seen.has(at); at = parents.get(at)) {
      seen.add(at);
      way.push(at);
    }
    const begin = at === undefined ? -1 : way.indexOf(at);
    if (begin >= 0) for (const id of way.slice(begin)) found.add(id);
  }
  return found;
}
