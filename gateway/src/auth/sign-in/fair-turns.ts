// One work at a time, for clients who take turns: next is whoever has waited for his turn longest, and not who has sent most. What
// waits is bounded, and whoever comes first finds a place even if others have taken all.

import { CodedError } from '@llm-streamer/shared/errors.ts';

/** Works of one client that wait, and of all clients together. A waiting one is no more than a closure. */
const MAX_OF_CLIENT = 2;
const MAX_WAITING = 64;
/** Clients whose last turn is remembered. */
const MAX_REMEMBERED = 1_000;

interface Waiting {
  run: () => void;
  refuse: (why: CodedError) => void;
}

export class FairTurns {
  /** What waits, by client, in the order in which the clients came; no list is empty. */
  readonly #waiting = new Map<string, Waiting[]>();
  #size = 0;
  /** The clients who had a turn lately: the one whose turn was longest ago comes first. */
  readonly #turns = new Set<string>();
  #isBusy = false;

  /** @throws CodedError `too_many_attempts` if too many wait, also later if somebody who has none waiting needs the place */
  run<T>(client: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const own = this.#waiting.get(client) ?? [];
    if (own.length >= MAX_OF_CLIENT || (this.#size >= MAX_WAITING && !this.#makeRoom(own.length)))
      return Promise.reject(tooMany());
    const run = () => {
      this.#isBusy = true;
      // In a promise from the start: a work that throws at once ends its turn, too.
      new Promise<T>((done) => done(work()))
        .then(resolve)
        .catch(reject)
        .finally(() => {
          this.#isBusy = false;
          this.#next();
        })
        .catch(reject);
    };
    own.push({ run, refuse: reject });
    this.#waiting.set(client, own);
    this.#size++;
    if (!this.#isBusy) this.#next();
    return promise;
  }

  /** Takes the newest work of the client that has most, if that is more than `own` and one more. */
  #makeRoom(own: number): boolean {
    let most: [string, Waiting[]] | undefined;
    for (const entry of this.#waiting) if (entry[1].length > (most?.[1].length ?? own + 1)) most = entry;
    if (most === undefined) return false;
    most[1].pop()?.refuse(tooMany());
    this.#size--;
    return true;
  }

  #next(): void {
    const client = this.#nextClient();
    const list = client === undefined ? undefined : this.#waiting.get(client);
    if (client === undefined || list === undefined) return;
    const next = list.shift();
    if (list.length === 0) this.#waiting.delete(client);
    this.#size--;
    this.#turns.delete(client);
    this.#turns.add(client);
    if (this.#turns.size > MAX_REMEMBERED) this.#turns.delete(this.#turns.values().next().value as string);
    next?.run();
  }

  /** Who had no turn lately, in the order in which they came; else whose last turn was longest ago. */
  #nextClient(): string | undefined {
    for (const client of this.#waiting.keys()) if (!this.#turns.has(client)) return client;
    for (const client of this.#turns) if (this.#waiting.has(client)) return client;
    return undefined;
  }
}

function tooMany(): CodedError {
  return new CodedError('too_many_attempts', 'too many people are signing in: try again');
}
