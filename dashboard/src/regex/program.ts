// Compiles an expression to a machine of states. A state that reads a character leads to one other state; a fork leads
// to several, the preferred first. As in JavaScript, a repetition that ends without having read a character fails:
// `(a*)*` ends on an empty text instead of repeating. A state therefore exists once for each number of the repetitions
// around it that have read nothing yet.

import { Characters } from './characters.ts';
import { PatternError } from './pattern.ts';
import type { Expression } from './syntax.ts';

export type State =
  | { kind: 'read'; characters: Characters; next: number }
  | { kind: 'fork'; nexts: number[] }
  | { kind: 'assertion'; is: '^' | '$' | 'b' | 'B'; multiline: boolean; words: Characters; next: number }
  | { kind: 'look'; index: number; negated: boolean; next: number }
  | { kind: 'fail' }
  | { kind: 'match' };

export interface Program {
  states: State[];
  start: number;
}

/** A lookahead or lookbehind. It may contain others, which then are before it in the list. */
export interface Look {
  behind: boolean;
  program: Program;
}

export interface Machine extends Program {
  looks: Look[];
  /** States of all programs together. */
  size: number;
}

export const MAX_STATES = 2_000;

/** @throws PatternError where the machine would have more than MAX_STATES. */
export function compile(expression: Expression): Machine {
  const compiler = new Compiler();
  const program = compiler.program(expression, false);
  return { ...program, looks: compiler.looks, size: compiler.size };
}

/**
 * The next state, by how many of the innermost repetitions have read nothing yet. A state that reads a character always
 * continues with the first: no repetition is empty any more.
 */
type Continuation = readonly number[];

class Compiler {
  readonly looks: Look[] = [];
  readonly #characters = new Map<string, Characters>();
  size = 0;
  #states: State[] = [];

  program(expression: Expression, backwards: boolean): Program {
    const outer = this.#states;
    const states: State[] = [];
    this.#states = states;
    const match = this.#add({ kind: 'match' });
    const [start = match] = this.#compile(expression, [match], backwards);
    this.#states = outer;
    return { states, start };
  }

  #compile(expression: Expression, then: Continuation, backwards: boolean): Continuation {
    switch (expression.kind) {
      case 'character': {
        const { source, flags } = expression;
        const read = this.#add({
          kind: 'read',
          characters: this.#of(source, flags),
          next: then[0] as number,
        });
        return then.map(() => read);
      }
      case 'assertion': {
        const { is, multiline, flags } = expression;
        const words = this.#of('\\w', flags);
        return then.map((next) => this.#add({ kind: 'assertion', is, multiline, words, next }));
      }
      case 'look': {
        const { behind, negated, body } = expression;
        const program = this.program(body, !behind);
        const index = this.looks.push({ behind, program }) - 1;
        return then.map((next) => this.#add({ kind: 'look', index, negated, next }));
      }
      case 'sequence': {
        const parts = backwards ? expression.parts : expression.parts.toReversed();
        return parts.reduce((rest, part) => this.#compile(part, rest, backwards), then);
      }
      case 'choice': {
        const options = expression.options.map((option) => this.#compile(option, then, backwards));
        return then.map((_, i) =>
          this.#add({ kind: 'fork', nexts: options.map((each) => each[i] as number) }),
        );
      }
      case 'repeat':
        return this.#repeat(expression, then, backwards);
    }
  }

  #repeat(
    { body, min, max, lazy }: Extract<Expression, { kind: 'repeat' }>,
    then: Continuation,
    backwards: boolean,
  ): Continuation {
    const mayBeEmpty = isNullable(body);
    const fail = this.#add({ kind: 'fail' });
    /** The first states of one more repetition, which continues at `next`; a repetition that reads nothing fails. */
    const round = (next: number): Continuation => {
      this.#count();
      if (!mayBeEmpty)
        return this.#compile(
          body,
          then.map(() => next),
          backwards,
        );
      return this.#compile(body, [next, ...then.map(() => fail)], backwards).slice(1);
    };
    const forks = (): { nexts: number[]; id: number }[] =>
      then.map(() => {
        const nexts: number[] = [];
        return { nexts, id: this.#add({ kind: 'fork', nexts }) };
      });
    const join = (into: { nexts: number[] }[], entries: Continuation) => {
      for (const [i, { nexts }] of into.entries()) {
        const [again, out] = [entries[i] as number, then[i] as number];
        nexts.push(...(lazy ? [out, again] : [again, out]));
      }
    };
    let rest = then;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = forks();
      join(loop, round(loop[0]?.id ?? fail));
      rest = loop.map(({ id }) => id);
    } else {
      for (let i = min; i < max; i++) {
        const next = rest;
        const here = forks();
        join(here, round(next[0] as number));
        rest = here.map(({ id }) => id);
      }
    }
    for (let i = 0; i < min; i++) {
      this.#count();
      rest = this.#compile(body, rest, backwards);
    }
    return rest;
  }

  #of(source: string, flags: string): Characters {
    const key = `${flags} ${source}`;
    const known = this.#characters.get(key) ?? new Characters(source, flags);
    this.#characters.set(key, known);
    return known;
  }

  #add(state: State): number {
    this.#count();
    return this.#states.push(state) - 1;
  }

  #count(): void {
    if (++this.size > MAX_STATES)
      throw new PatternError(
        'the expression is too large: what it repeats counts as often as it is repeated',
      );
  }
}

function isNullable(expression: Expression): boolean {
  switch (expression.kind) {
    case 'character':
      return false;
    case 'sequence':
      return expression.parts.every(isNullable);
    case 'choice':
      return expression.options.some(isNullable);
    case 'repeat':
      return expression.min === 0 || isNullable(expression.body);
    default:
      return true;
  }
}
