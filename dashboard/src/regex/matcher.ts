// Runs a machine of states over a text. A *thread* is one way in which a match may go on: a state, and where the match began. All
// threads read a character at the same time, and two threads never wait in the same state. So a position takes at most as many
// steps as the size of the machine, whatever the expression. The result is what JavaScript's own engine would find: the
// leftmost match, by the preferred way.

import type { Found } from './pattern.ts';
import type { Machine, Program, State } from './program.ts';

export class Matcher {
  readonly #machine: Machine;
  readonly #unicode: boolean;
  readonly #threads: readonly [Threads, Threads];
  readonly #pending: number[] = [];
  /** For each look-around: 1 at every position where it matches. */
  #looks: Uint8Array[] = [];
  #text = '';
  /** The position where reading ends. Only `$` and `\b` see the characters after it. */
  #end = 0;
  /** How many positions may still be looked at. At 0 the match that is being sought is given up. */
  #left = 0;
  /** Edges followed and characters compared so far. */
  steps = 0;

  constructor(machine: Machine, unicode: boolean) {
    this.#machine = machine;
    this.#unicode = unicode;
    this.#threads = [new Threads(machine.size), new Threads(machine.size)];
  }

  /** Whether there is a match within the first `limit` characters. Takes at most (limit + 1) × size steps. */
  test(text: string, limit: number): boolean {
    this.#prepare(text, limit);
    let found = false;
    this.#scan(this.#machine, false, () => {
      found = true;
      return false;
    });
    return found;
  }

  /**
   * The matches within the first `limit` characters, from left to right, none inside another. It ends when `positions`
   * positions have been looked at, and takes at most (limit + 1 + positions) × size steps. A position may be looked at several
   * times: with `a.*b|a` on `aaa`, each a is found alone after the search for a b has read to the end.
   */
  *matches(text: string, limit: number, positions: number): Generator<Found, void, undefined> {
    if (limit < 0) return;
    this.#prepare(text, limit);
    this.#left = positions;
    for (let at = 0; at <= this.#end; ) {
      const found = this.#leftmost(at);
      if (!found) return;
      yield found;
      at = found.end > found.start ? found.end : found.end + Math.max(1, this.#lengthAt(found.end));
    }
  }

  /** Finds first at which positions the look-arounds match: each of them at all positions, in one pass. */
  #prepare(text: string, limit: number): void {
    this.#text = text;
    this.#end = Math.min(text.length, limit);
    this.#looks = [];
    for (const { behind, program } of this.#machine.looks) {
      const holds = new Uint8Array(this.#end + 1);
      // A look-ahead is read from the end of the text, so that one pass finds all positions where it matches.
      this.#scan(program, !behind, (at) => {
        holds[at] = 1;
        return true;
      });
      this.#looks.push(holds);
    }
  }

  /**
   * Calls `matched` for each position where a match ends that began anywhere before; with `backwards`, for each position where a
   * match begins that ends anywhere after. Stops when `matched` returns false.
   */
  #scan(program: Program, backwards: boolean, matched: (at: number) => boolean): void {
    let [now, next] = this.#threads;
    now.clear();
    for (let at = backwards ? this.#end : 0; ; ) {
      this.#enter(program, now, program.start, at, at);
      if (now.matched >= 0 && !matched(at)) return;
      const size = backwards ? this.#lengthBefore(at) : this.#lengthAt(at);
      if (size === 0) return;
      const code = this.#codeAt(backwards ? at - size : at);
      at += backwards ? -size : size;
      next.clear();
      for (let i = 0; i < now.count; i++) this.#read(program, now.states[i] as number, code, next, at, 0);
      [now, next] = [next, now];
    }
  }

  #leftmost(from: number): Found | undefined {
    const program = this.#machine;
    let [now, next] = this.#threads;
    let found: Found | undefined;
    now.clear();
    for (let at = from; ; ) {
      if (--this.#left < 0) return undefined;
      // Threads that began earlier are preferred. Once a thread has matched, no further thread begins.
      if (!found) this.#enter(program, now, program.start, at, at);
      if (now.matched >= 0) {
        found = { start: now.starts[now.matched] as number, end: at };
        now.count = now.matched; // the threads after this one are less preferred, so they are dropped
      }
      const size = this.#lengthAt(at);
      if (size === 0 || (found && now.count === 0)) return found;
      const code = this.#codeAt(at);
      at += size;
      next.clear();
      for (let i = 0; i < now.count && next.matched < 0; i++)
        this.#read(program, now.states[i] as number, code, next, at, now.starts[i] as number);
      [now, next] = [next, now];
    }
  }

  #read(program: Program, id: number, code: number, into: Threads, at: number, start: number): void {
    const state = program.states[id] as State;
    this.steps++;
    if (state.kind === 'read' && state.characters.has(code))
      this.#enter(program, into, state.next, at, start);
  }

  /** Adds a state, and all states to which it leads without reading a character, the preferred ones first, each at most once. */
  #enter(program: Program, into: Threads, id: number, at: number, start: number): void {
    const pending = this.#pending;
    pending.push(id);
    while (pending.length > 0) {
      const each = pending.pop() as number;
      this.steps++;
      if (!into.isNew(each)) continue;
      const state = program.states[each] as State;
      if (state.kind === 'fork') {
        for (let i = state.nexts.length - 1; i >= 0; i--) pending.push(state.nexts[i] as number);
      } else if (state.kind === 'assertion') {
        if (this.#holds(state, at)) pending.push(state.next);
      } else if (state.kind === 'look') {
        if ((this.#looks[state.index]?.[at] === 1) !== state.negated) pending.push(state.next);
      } else if (state.kind !== 'fail') {
        into.add(each, start);
        if (state.kind === 'match') into.matched = into.count - 1;
      }
    }
  }

  #holds({ is, multiline, words }: Extract<State, { kind: 'assertion' }>, at: number): boolean {
    const text = this.#text;
    if (is === '^') return at === 0 || (multiline && isLineEnd(text.charCodeAt(at - 1)));
    if (is === '$') return at === text.length || (multiline && isLineEnd(text.charCodeAt(at)));
    const before = at > 0 && words.has(this.#codeAt(at - this.#lengthBefore(at)));
    const after = at < text.length && words.has(this.#codeAt(at));
    return (before !== after) === (is === 'b');
  }

  /** The length of the character at a position: 2 for a pair of surrogates if the flag u or v is set, and 0 at the end. */
  #lengthAt(at: number): number {
    if (at >= this.#end) return 0;
    return this.#unicode && (this.#text.codePointAt(at) as number) > 0xffff ? 2 : 1;
  }

  #lengthBefore(at: number): number {
    if (at <= 0) return 0;
    return this.#unicode && at > 1 && (this.#text.codePointAt(at - 2) as number) > 0xffff ? 2 : 1;
  }

  #codeAt(at: number): number {
    return (this.#unicode ? this.#text.codePointAt(at) : this.#text.charCodeAt(at)) as number;
  }
}

/** The threads at one position, in the order of preference: the state of each, and where its match began. */
class Threads {
  readonly states: Uint16Array;
  readonly starts: Uint32Array;
  count = 0;
  /** The index of the thread that has matched; -1 if none has. */
  matched = -1;
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(size: number) {
    this.states = new Uint16Array(size);
    this.starts = new Uint32Array(size);
    this.#seen = new Uint32Array(size);
  }

  clear(): void {
    this.count = 0;
    this.matched = -1;
    this.#round++;
  }

  isNew(state: number): boolean {
    if (this.#seen[state] === this.#round) return false;
    this.#seen[state] = this.#round;
    return true;
  }

  add(state: number, start: number): void {
    this.states[this.count] = state;
    this.starts[this.count++] = start;
  }
}

function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029;
}
