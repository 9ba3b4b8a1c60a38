// Compiles an expression to a machine of states. A state that reads a character leads to one other state; a fork leads to
// several, the preferred one first. In JavaScript a round of a repetition that reads nothing fails, so that `(?:a?)*` ends on an
// empty text. So a state within repetitions also stands for how many of the innermost of them have read nothing in their
// present round.

import { MAX_SIZE, MAX_WORK } from './bounds.ts';
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

/**
 * A look-around: what must, or must not, match before a position (`behind`) or after it. Its own program may contain
 * look-arounds, which stand before it in the list.
 */
export interface Look {
  behind: boolean;
  program: Program;
}

export interface Machine extends Program {
  looks: Look[];
  /** The number of states, edges and class tests of all programs together. No position of a text takes more steps. */
  size: number;
  /** How often, at one position, JavaScript's engine may have to be asked whether a character is in a class. */
  asking: number;
  classes: Iterable<Characters>;
}

/** @throws PatternError if the machine would be larger than MAX_SIZE. */
export function compile(expression: Expression): Machine {
  const compiler = new Compiler();
  const program = compiler.program(expression, false);
  const { looks, size, classes } = compiler;
  // Each class is asked twice, because \b compares the character before the position and the one after it.
  const asking = 2 * classes.filter(({ asks }) => asks).length;
  return { ...program, looks, size, asking, classes };
}

/**
 * The states with which a match goes on. Element k is for a match in which the k innermost repetitions have read nothing in their
 * present round. So a state that reads a character leads to element 0.
 */
type Continuation = readonly number[];

class Compiler {
  readonly looks: Look[] = [];
  readonly #characters = new Map<string, Characters>();
  readonly #nullable = new Map<Expression, boolean>();
  size = 0;
  #work = 0;
  #states: State[] = [];

  get classes(): Characters[] {
    return [...this.#characters.values()];
  }

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
    this.#spend(then.length);
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
        return then.map((_, i) => this.#fork(options.map((each) => each[i] as number)));
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
    const mayBeEmpty = this.#isNullable(body);
    const fail = this.#add({ kind: 'fail' });
    /** The states with which one more round begins. The round goes on to `next`, and fails if it reads nothing. */
    const round = (next: number): Continuation => {
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
        this.#grow(2); // the edges that `join` adds
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

  /** Makes a fork. Of several edges to the same state only the most preferred one is kept. */
  #fork(all: readonly number[]): number {
    this.#spend(all.length);
    const nexts = [...new Set(all)];
    return nexts.length === 1 ? (nexts[0] as number) : this.#add({ kind: 'fork', nexts });
  }

  #add(state: State): number {
    this.#grow(sizeOf(state));
    return this.#states.push(state) - 1;
  }

  #grow(by: number): void {
    this.size += by;
    this.#spend(by);
  }

  #spend(work: number): void {
    this.#work += work;
    if (this.size > MAX_SIZE || this.#work > MAX_WORK)
      throw new PatternError(
        'the expression is too large: what it repeats counts as often as it is repeated',
      );
  }

  #isNullable(expression: Expression): boolean {
    let known = this.#nullable.get(expression);
    if (known === undefined) {
      known = this.#findNullable(expression);
      this.#nullable.set(expression, known);
    }
    return known;
  }

  #findNullable(expression: Expression): boolean {
    switch (expression.kind) {
      case 'character':
        return false;
      case 'sequence':
        return expression.parts.every((part) => this.#isNullable(part));
      case 'choice':
        return expression.options.some((option) => this.#isNullable(option));
      case 'repeat':
        return expression.min === 0 || this.#isNullable(expression.body);
      default:
        return true;
    }
  }
}

/** Counts the state itself, its edges, and the characters that it compares. */
function sizeOf(state: State): number {
  switch (state.kind) {
    case 'fork':
      return 1 + state.nexts.length;
    case 'assertion':
      return 4;
    default:
      return 2;
  }
}
