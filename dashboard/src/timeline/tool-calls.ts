// The calls of tools of one lane, from their entries in any order of arrival. A call is known by its id; without one, a tool of the
// same name is called again when it has returned.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { beginOf, byLog, type Fact } from './fact.ts';

/** Undefined: not known. */
export interface ToolCall {
  /** Names it among the calls of its lane. */
  key: string;
  name: string;
  step: string;
  askedAt: number | undefined;
  decidedAt: number | undefined;
  calledAt: number | undefined;
  returnedAt: number | undefined;
  error: string;
  facts: Fact[];
}

export class ToolFacts {
  readonly #facts = new Map<string, Fact[]>();

  /** Whether an entry of this call, or of one like it, is here already. */
  knows(fact: Fact): boolean {
    return this.#facts.has(keyOf(fact));
  }

  add(fact: Fact): void {
    const key = keyOf(fact);
    const facts = this.#facts.get(key);
    if (facts) facts.push(fact);
    else this.#facts.set(key, [fact]);
  }

  get all(): ToolCall[] {
    const calls = [...this.#facts].flatMap(([key, facts]) => callsOf(key, facts.sort(byLog)));
    return calls.sort((a, b) => byLog(a.facts[0] as Fact, b.facts[0] as Fact));
  }
}

function keyOf({ call, tool, step }: Fact): string {
  return call === '' ? `${step} ${tool}` : `#${call}`;
}

function callsOf(key: string, facts: readonly Fact[]): ToolCall[] {
  const found: ToolCall[] = [];
  let current: ToolCall | undefined;
  for (const fact of facts) {
    if (!current || isOther(current, fact)) {
      current = emptyCall(`${key} ${found.length}`);
      found.push(current);
    }
    take(current, fact);
  }
  return found;
}

function isOther({ askedAt, calledAt, returnedAt }: ToolCall, { event }: Fact): boolean {
  if (returnedAt !== undefined) return true;
  if (event === EVENTS.toolCalled) return calledAt !== undefined;
  return event === EVENTS.toolAsked && askedAt !== undefined;
}

function emptyCall(key: string): ToolCall {
  return {
    key,
    name: '',
    step: '',
    askedAt: undefined,
    decidedAt: undefined,
    calledAt: undefined,
    returnedAt: undefined,
    error: '',
    facts: [],
  };
}

function take(call: ToolCall, fact: Fact): void {
  const { event, time } = fact;
  call.facts.push(fact);
  if (fact.tool !== '') call.name = fact.tool;
  if (fact.step !== '') call.step = fact.step;
  if (event === EVENTS.toolCalled) call.calledAt = time;
  else if (event === EVENTS.toolAsked) call.askedAt = time;
  else if (event === EVENTS.toolDecided) call.decidedAt = time;
  else {
    call.returnedAt = time;
    call.calledAt ??= beginOf(fact);
    call.error = fact.error;
  }
}
