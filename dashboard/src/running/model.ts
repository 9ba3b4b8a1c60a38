// Which generations run, and which failed lately: entries of the stream in, generations out. It remembers at most 512 that run, of which
// those without a sign go last, and the last 20 that failed, and says where there were more. It knows nothing of the screen; the same entries give the same.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { isCancelled } from '@llm-streamer/shared/run.ts';
import type { EarlierCalls } from '../fleet/earlier-calls.ts';
import { type OpenCall, OpenCalls } from '../fleet/open-calls.ts';
import { HANGING_MS } from '../fleet/trouble.ts';
import { logTimeOf } from '../pictures/entry-feed.ts';
import { oldestOf } from '../pictures/oldest.ts';
import { Seconds } from '../pictures/seconds.ts';
import { EndedGenerations, LOST_MS } from '../stream/ended-generations.ts';
import type { EntryRow } from '../stream/row.ts';
import { Generation, spanOf } from './generation.ts';

export const MAX_RUNNING = 512;
const MAX_FAILED = 20;
/** A failed one is shown for this long. */
export const FAILED_MS = 60_000;
/** Longer names of runs and lanes together would make what is remembered too large; such generations are not shown. */
const MAX_KEY = 1_000;
const NO_ATTRS = {};

export class RunningModel {
  readonly #running = new Map<string, Generation>();
  readonly #ended = new EndedGenerations();
  #failures = failuresBySecond();
  #overfullAt = Number.NEGATIVE_INFINITY;
  #failed: Generation[] = [];
  #calls = new OpenCalls();
  /** When the log got the first entry that was counted, in ms; Infinity before that. */
  #from = Number.POSITIVE_INFINITY;

  count(row: EntryRow): void {
    const at = logTimeOf(row);
    if (at < this.#from) this.#from = at;
    if (at >= 0 && row.event !== EVENTS.generationDelta) this.#calls.count(row, at);
    if (row.generation === undefined) return;
    const isDelta = row.event === EVENTS.generationDelta;
    const attrs = isDelta ? NO_ATTRS : row.attrs();
    const key = keyOf(row, attrs);
    if (!(at >= 0) || key.length > MAX_KEY) return;
    const known = this.#running.get(key);
    if (isDelta) {
      if (known || !this.#ended.isLate(key, at)) (known ?? this.#open(key, row, at)).addDelta(row, at);
    } else if (row.event === EVENTS.generationStarted) this.#start(known, key, row, attrs, at);
    else if (row.event === EVENTS.generationRetracted) known?.retract(at);
    else if (row.event === EVENTS.generationFinished || row.event === EVENTS.generationFailed)
      this.#end(known, key, row, attrs, at);
  }

  /** Calls that were made before the first entry that was counted. */
  addEarlierCalls({ bySource }: EarlierCalls): void {
    for (const { calls } of bySource.values()) this.#calls.addEarlier(calls);
  }

  /** Those that run, the longest first. `now` is the log's time in ms. */
  running(now: number): Generation[] {
    for (const generation of this.#running.values())
      if (generation.silence(now) > LOST_MS) this.#lose(generation);
    return [...this.#running.values()];
  }

  /** Whether one that was dropped because there were too many may still run. */
  isOverfull(now: number): boolean {
    return now - this.#overfullAt <= LOST_MS;
  }

  /** Calls of tools that have not answered for so long that they seem to hang, the longest first. */
  hanging(now: number): OpenCall[] {
    const hanging = this.#calls.all.filter(({ at }) => now - at > HANGING_MS);
    return hanging.sort((a, b) => a.at - b.at);
  }

  /** Those that failed in the last minute, the first first; of many, the last 20. */
  failed(now: number): readonly Generation[] {
    this.#failed = this.#failed.filter(({ lastAt }) => now - lastAt <= FAILED_MS);
    return this.#failed;
  }

  /** How many failed in the last minute. */
  failures(now: number): number {
    const second = Math.floor(now / 1000);
    return this.#failures.sum(second - FAILED_MS / 1000, second);
  }

  /** For how long of the last minute failures are known, in ms. */
  knownMs(now: number): number {
    return Math.min(FAILED_MS, Math.max(0, now - this.#from));
  }

  clear(): void {
    for (const generation of this.#running.values()) generation.lose();
    for (const generation of this.#failed) generation.lose();
    this.#running.clear();
    this.#failures = failuresBySecond();
    this.#calls = new OpenCalls();
    this.#from = Number.POSITIVE_INFINITY;
    this.#failed = [];
    this.#overfullAt = Number.NEGATIVE_INFINITY;
  }

  #start(
    known: Generation | undefined,
    key: string,
    row: EntryRow,
    attrs: Record<string, unknown>,
    at: number,
  ): void {
    // One start may be told on two channels, to those who may read the texts and to all.
    if (known?.startedAt !== undefined && !known.hasBegun) known.name(attrs);
    else this.#open(key, row, at);
  }

  #end(
    known: Generation | undefined,
    key: string,
    row: EntryRow,
    attrs: Record<string, unknown>,
    at: number,
  ): void {
    const isWhole = row.event === EVENTS.generationFinished;
    const isToldAgain = !known && this.#ended.isToldAgain(key, at, row.channel);
    this.#running.delete(key);
    this.#ended.end(key, at, row.channel);
    known?.end(row, attrs, at, isWhole);
    if (isWhole || isCancelled(attrs) || isToldAgain) return;
    const generation = known ?? new Generation(key, row, at);
    if (!known) generation.end(row, attrs, at, false);
    this.#failed.push(generation);
    if (this.#failed.length > MAX_FAILED) this.#failed.shift();
    this.#failures.add(Math.floor(at / 1000), 1);
  }

  #open(key: string, row: EntryRow, at: number): Generation {
    const before = this.#running.get(key);
    if (before) this.#lose(before);
    else if (this.#running.size >= MAX_RUNNING) this.#makeRoom(at);
    this.#ended.begin(key);
    const generation = new Generation(key, row, at);
    this.#running.set(key, generation);
    return generation;
  }

  /** One in trouble is what the reader looks for: of those that speak, the one heard longest ago goes. */
  #makeRoom(now: number): void {
    const oldest = oldestOf(this.#running.values(), (generation) => !generation.isStalled(now));
    if (!oldest) return;
    this.#lose(oldest);
    this.#overfullAt = now;
  }

  #lose(generation: Generation): void {
    generation.lose();
    this.#running.delete(generation.key);
  }
}

function keyOf(row: EntryRow, attrs: Record<string, unknown>): string {
  const span = spanOf(attrs);
  return `${row.source}\n${span === undefined ? row.generation : `${row.run} span ${span}`}`;
}

function failuresBySecond(): Seconds {
  return new Seconds(FAILED_MS / 1000 + 1);
}
