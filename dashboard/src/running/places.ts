// Which generation stands in which line. One that runs keeps its line until its end, and stays there for a while after it; the next
// takes the first line that is free. So nothing moves that somebody reads. Only where all run and one without a sign waits, one that speaks
// makes way for it.
import type { Generation } from './generation.ts';
import { FAILED_MS } from './model.ts';

/** As many as can be read at once. */
export const LINES = 20;
/** How long one that has ended keeps its line, and how long at least where others wait for one. */
const KEPT_MS = { finished: 5_000, stopped: 5_000, failed: FAILED_MS } as const;
const LEAST_MS = { finished: 1_000, stopped: 1_000, failed: 10_000 } as const;

export interface Shown {
  /** A generation, or undefined for a free line, for each of the lines that are in use. */
  lines: readonly (Generation | undefined)[];
  /** Those that run and have no line. */
  others: readonly Generation[];
}

export class Places {
  readonly #lines = new Array<Generation | undefined>(LINES).fill(undefined);
  /** Those that have had a line, so that a failed one does not come back when it had to go. */
  readonly #seen = new WeakSet<Generation>();

  /** `held` is the line that the reader points at: what stands there stays. */
  assign(
    running: readonly Generation[],
    failed: readonly Generation[],
    now: number,
    held: number | undefined,
  ): Shown {
    for (const [i, generation] of this.#lines.entries())
      if (i !== held && generation && hasToGo(generation, now)) this.#lines[i] = undefined;
    const waiting = [...running, ...failed].filter((generation) => !this.#seen.has(generation));
    const stalled = waiting.filter((generation) => generation.isStalled(now)).length;
    const places = this.#room(now, held, stalled);
    const next = waiting
      .sort((a, b) => rank(b, now) - rank(a, now))
      .slice(0, places.length)
      .sort((a, b) => a.heardAt - b.heardAt || a.heardN - b.heardN);
    for (const [i, generation] of next.entries()) {
      const place = places[i] as number;
      const before = this.#lines[place];
      // One that had to go while it ran may have the next line that is free.
      if (before?.isRunning) this.#seen.delete(before);
      this.#lines[place] = generation;
      this.#seen.add(generation);
    }
    const last = this.#lines.findLastIndex((generation) => generation !== undefined);
    return {
      lines: this.#lines.slice(0, last + 1),
      others: running.filter((generation) => !this.#lines.includes(generation)),
    };
  }

  /**
   * The lines that others may have: first the free ones, then those of generations that have ended. Where these are too few for the
   * `stalled` that wait, also the lowest of those that run and speak.
   */
  #room(now: number, held: number | undefined, stalled: number): number[] {
    const free: number[] = [];
    const ended: { place: number; generation: Generation }[] = [];
    const speaking: number[] = [];
    for (const [place, generation] of this.#lines.entries()) {
      if (!generation) free.push(place);
      else if (place !== held && hasStood(generation, now, LEAST_MS)) ended.push({ place, generation });
      else if (place !== held && generation.isRunning && !generation.isStalled(now)) speaking.unshift(place);
    }
    const isFailed = ({ generation }: { generation: Generation }) => Number(generation.state === 'failed');
    ended.sort(
      (a, b) => isFailed(a) - isFailed(b) || (a.generation.endedAt ?? 0) - (b.generation.endedAt ?? 0),
    );
    const places = [...free, ...ended.map(({ place }) => place)];
    return [...places, ...speaking.slice(0, Math.max(0, stalled - places.length))];
  }
}

function hasToGo(generation: Generation, now: number): boolean {
  return generation.state === 'lost' || hasStood(generation, now, KEPT_MS);
}

function hasStood(
  { state, endedAt }: Generation,
  now: number,
  least: typeof KEPT_MS | typeof LEAST_MS,
): boolean {
  return state !== 'running' && state !== 'lost' && now - (endedAt ?? 0) > least[state];
}

/** Those in trouble get a line first. */
function rank(generation: Generation, now: number): number {
  return generation.isStalled(now) ? 2 : generation.state === 'failed' ? 1 : 0;
}
