// The generations of one source that run now, as its entries say: what has started or said something and has not ended.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { Seconds } from '../pictures/seconds.ts';
import { amountOf, textOf } from '../stream/attribute.ts';
import { EndedGenerations, LOST_MS } from '../stream/ended-generations.ts';
import type { EntryRow } from '../stream/row.ts';
import { FirstTokens } from './first-tokens.ts';

/** More at a time are not counted: how many run is then not known. */
const MAX_RUNNING = 256;
/** The most characters of a model's name. */
export const MAX_MODEL = 80;
/** Seconds of tokens that are kept, unless others are asked for. */
export const SPARK_SECONDS = 120;

interface Generation {
  /** Undefined where its start was not heard. */
  startedAt: number | undefined;
  firstAt: number | undefined;
  lastAt: number;
}

export class Generations {
  /** The model that was named last. */
  model: string | undefined;
  /** Whether the source has ever said anything of a generation. */
  isHeard = false;
  readonly firstTokens = new FirstTokens();
  readonly #running = new Map<string, Generation>();
  readonly #ended = new EndedGenerations();
  readonly #kept: number;
  readonly #tokens: Seconds;
  /** Since when tokens are counted; undefined while the source has never said a number of them. */
  #tokensSince: number | undefined;
  /** Until all that could not be kept have ended, or are forgotten. */
  #overfullUntil = Number.NEGATIVE_INFINITY;

  /** `seconds` is for how long tokens are kept. */
  constructor(seconds = SPARK_SECONDS) {
    this.#kept = seconds;
    this.#tokens = new Seconds(seconds + 1);
  }

  /** Counts an entry of the generation that `key` names. */
  count(row: EntryRow, key: string, at: number): void {
    this.isHeard = true;
    if (row.event === EVENTS.generationDelta) {
      this.#countDelta(row, key, at);
      return;
    }
    const attrs = row.attrs();
    const model = textOf(attrs[GEN_AI.responseModel]) ?? textOf(attrs[GEN_AI.requestModel]);
    if (model !== undefined) this.model = model.slice(0, MAX_MODEL);
    if (row.event === EVENTS.generationStarted) this.#open(key, at, at);
    else if (row.event === EVENTS.generationFinished) this.#end(row, key, at, attrs, true);
    else if (row.event === EVENTS.generationFailed) this.#end(row, key, at, attrs, false);
  }

  /** How many run; undefined where that cannot be known. */
  running(now: number): number | undefined {
    for (const [key, { lastAt }] of this.#running) if (now - lastAt > LOST_MS) this.#running.delete(key);
    return this.isHeard && now > this.#overfullUntil ? this.#running.size : undefined;
  }

  /** The longest time, in ms, that a generation has said nothing: before its first token, and after it. */
  silences(now: number): { first: number; next: number } {
    const longest = { first: 0, next: 0 };
    for (const { startedAt, firstAt, lastAt } of this.#running.values()) {
      if (firstAt !== undefined) longest.next = Math.max(longest.next, now - lastAt);
      else if (startedAt !== undefined) longest.first = Math.max(longest.first, now - startedAt);
    }
    return longest;
  }

  /** The mean of the tokens per second after `from` and up to `to`; NaN where not known. */
  tokensPerSecond(from: number, to: number): number {
    if (this.#tokensSince === undefined || to < this.#tokensSince) return Number.NaN;
    const begin = Math.max(from, this.#tokensSince - 1);
    return this.#tokens.sum(begin, to) / (to - begin);
  }

  #countDelta(row: EntryRow, key: string, at: number): void {
    const known = this.#running.get(key);
    const generation = known ?? (this.#ended.isLate(key, at) ? undefined : this.#open(key, undefined, at));
    if (generation) {
      generation.firstAt ??= at;
      generation.lastAt = at;
    }
    const second = Math.floor(at / 1000);
    this.#tokensSince ??= second;
    this.#tokens.add(second, row.tokens);
  }

  #open(key: string, startedAt: number | undefined, at: number): Generation | undefined {
    if (this.#running.size >= MAX_RUNNING && !this.#running.has(key)) {
      this.#overfullUntil = at + LOST_MS;
      return undefined;
    }
    this.#ended.begin(key);
    const generation = { startedAt, firstAt: undefined, lastAt: at };
    this.#running.set(key, generation);
    return generation;
  }

  #end(row: EntryRow, key: string, at: number, attrs: Record<string, unknown>, isWhole: boolean): void {
    const generation = this.#running.get(key);
    if (!generation && this.#ended.isToldAgain(key, at, row.channel)) return;
    this.#running.delete(key);
    this.#ended.end(key, at, row.channel);
    const reported = amountOf(attrs[GEN_AI.timeToFirstChunk]);
    if (reported !== undefined) this.firstTokens.add({ at, seconds: reported, isSaid: true });
    else if (isWhole && generation?.startedAt !== undefined && generation.firstAt !== undefined)
      this.firstTokens.add({
        at,
        seconds: (generation.firstAt - generation.startedAt) / 1000,
        isSaid: false,
      });
    // What has sent no deltas has said its tokens only now: they are spread over the time that it took. Those of one
    // that was not kept may have been counted with its deltas.
    const tokens = amountOf(attrs[GEN_AI.outputTokens]) ?? 0;
    const isUncounted = generation ? generation.firstAt === undefined : at > this.#overfullUntil;
    if (isUncounted && tokens > 0) this.#spread(at, tokens, amountOf(attrs[ATTRS.duration]) ?? 0);
  }

  #spread(at: number, tokens: number, duration: number): void {
    const last = Math.floor(at / 1000);
    const seconds = Math.max(1, Math.min(86_400, Math.round(duration)));
    this.#tokensSince = Math.min(this.#tokensSince ?? last, last - Math.min(seconds, this.#kept) + 1);
    for (let s = Math.max(last - seconds + 1, last - this.#kept); s <= last; s++)
      this.#tokens.add(s, tokens / seconds);
  }
}
