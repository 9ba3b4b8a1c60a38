// So many works at a time, for clients who take turns: next is the network, and in it the client, that has waited for a turn longest,
// and not who has sent most. What waits is bounded, and who has many addresses drives out his own works, and not those of others.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { networksOf } from '../../client-of.ts';

/** Works of one client that wait: one address has ten attempts at once (`LIMITS.address`), of which one runs. */
const MAX_OF_CLIENT = 9;
/** Works of all clients that wait: each is a closure and a connection, and the last one waits about a minute for a password. */
const MAX_WAITING = 120;
/** Networks and clients whose last turn is remembered. */
const MAX_REMEMBERED = 3_000;

interface Waiting {
  run: () => void;
  refuse: (why: CodedError) => void;
}

/** A network with the networks or clients in it, or a client with its works; in the order in which they came. */
interface Group {
  name: string;
  /** Works in all of it; a group without any is removed. */
  size: number;
  groups: Map<string, Group>;
  works: Waiting[];
}

export class FairTurns {
  readonly #atOnce: number;
  readonly #all = newGroup('');
  /** The number of the last turn, by the name of a network or client: the one whose turn was longest ago comes first. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #running = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /**
   * @param address of the client; '' for nobody in particular.
   * @throws CodedError `too_many_attempts` if too many wait, also later if somebody who has fewer waiting needs the place
   */
  run<T>(address: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = () => {
      this.#running++;
      // In a promise from the start: a work that throws at once ends its turn, too.
      new Promise<T>((done) => done(work()))
        .then(resolve)
        .catch(reject)
        .finally(() => {
          this.#running--;
          this.#next();
        })
        .catch(reject);
    };
    const path = this.#pathTo(networksOf(address));
    const client = path.at(-1) as Group;
    if (client.works.length >= MAX_OF_CLIENT) return Promise.reject(tooMany());
    client.works.push({ run, refuse: reject });
    for (const group of path) group.size++;
    this.#next();
    if (this.#all.size > MAX_WAITING) this.#refuseLast();
    return promise;
  }

  #pathTo(names: readonly string[]): Group[] {
    const path = [this.#all];
    for (const name of names) {
      const { groups } = path.at(-1) as Group;
      const group = groups.get(name) ?? newGroup(name);
      groups.set(name, group);
      path.push(group);
    }
    return path;
  }

  #next(): void {
    if (this.#running >= this.#atOnce || this.#all.size === 0) return;
    const path = this.#choose((one, best) => this.#turnOf(one) < this.#turnOf(best));
    const next = (path.at(-1) as Group).works.shift();
    this.#shrink(path);
    this.#turn++;
    for (const { name } of path) {
      this.#turns.delete(name);
      this.#turns.set(name, this.#turn);
    }
    for (const name of this.#turns.keys()) {
      if (this.#turns.size <= MAX_REMEMBERED) break;
      this.#turns.delete(name);
    }
    next?.run();
  }

  /** That of the largest network; of equal ones, that of the one whose turn was last; of these, the newest. */
  #refuseLast(): void {
    const path = this.#choose(
      (one, best) =>
        one.size > best.size || (one.size === best.size && this.#turnOf(one) >= this.#turnOf(best)),
    );
    const last = (path.at(-1) as Group).works.pop();
    this.#shrink(path);
    last?.refuse(tooMany());
  }

  /** From the widest group to a client: in each, the best of those in it. */
  #choose(isBetter: (one: Group, best: Group) => boolean): Group[] {
    const path = [this.#all];
    for (;;) {
      let best: Group | undefined;
      for (const one of (path.at(-1) as Group).groups.values())
        if (best === undefined || isBetter(one, best)) best = one;
      if (best === undefined) return path;
      path.push(best);
    }
  }

  /** One work of the last group of `path` is gone. */
  #shrink(path: readonly Group[]): void {
    for (const [i, group] of path.entries()) {
      group.size--;
      if (group.size === 0) path[i - 1]?.groups.delete(group.name);
    }
  }

  /** 0 for one that had none lately. */
  #turnOf({ name }: Group): number {
    return this.#turns.get(name) ?? 0;
  }
}

function newGroup(name: string): Group {
  return { name, size: 0, groups: new Map(), works: [] };
}

function tooMany(): CodedError {
  return new CodedError('too_many_attempts', 'too many people are signing in: try again');
}
