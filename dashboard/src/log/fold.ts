// A fold: all deltas of one generation, shown as one line that grows, with its text, tokens and speed.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { EntryRow } from '../stream/row.ts';

export class Fold {
  readonly kind = 'fold';
  readonly key: string;
  /** The place in the buffer of the fold's first entry that is not evicted. */
  at: number;
  /** The place of the fold in the list. */
  place = 0;
  readonly rows: EntryRow[];
  /** Grows with each change, so that a row node can see whether it shows the latest. */
  version = 0;
  /** Tokens of generations that ended: the number that the service reported, or the sum of their deltas. */
  #settled = 0;
  /** Tokens of the generation that still grows: the sum of its deltas, which is an estimate. */
  #growing: number;
  #isEstimate = false;
  /** The time of the first delta that this fold has of the generation that still grows. */
  #began: number;
  /** Tokens per second of the generation that ended last. */
  #speed: number | undefined;
  readonly time: number;
  /** The lane of a run; empty where the entries name none. */
  readonly lane: string;
  /** Whether the end of the generation was seen. */
  done = false;
  #text: string;
  #plain: boolean;
  #stale = false;

  constructor(first: EntryRow) {
    this.key = first.generation ?? '';
    this.at = first.at;
    this.rows = [first];
    this.#growing = first.tokens;
    this.time = first.time;
    this.#began = first.time;
    this.lane = String(first.attrs().lane ?? '').slice(0, 16);
    this.#text = first.msg;
    this.#plain = first.plain;
  }

  get first(): EntryRow {
    return this.rows[0] as EntryRow;
  }

  get last(): EntryRow {
    return this.rows[this.rows.length - 1] as EntryRow;
  }

  get plain(): boolean {
    return this.#plain;
  }

  get text(): string {
    if (this.#stale) {
      this.#text = this.rows.map((row) => row.msg).join('');
      this.#stale = false;
    }
    return this.#text;
  }

  get tokens(): number {
    return this.#settled + this.#growing;
  }

  /** Whether the service counted all tokens, so that none are an estimate. */
  get isCounted(): boolean {
    return !this.#isEstimate && this.#growing === 0;
  }

  /** Tokens per second of the latest generation: as its end reports, else from the first to the last delta here. */
  get speed(): number | undefined {
    if (this.#growing === 0) return this.#speed;
    const ms = this.last.time - this.#began;
    return ms > 0 ? (this.#growing * 1000) / ms : undefined;
  }

  addDelta(row: EntryRow): void {
    this.rows.push(row);
    if (this.#growing === 0) this.#began = row.time;
    this.#growing += row.tokens;
    if (!this.#stale) this.#text += row.msg;
    this.#plain &&= row.plain;
    this.version++;
  }

  /** The label before the text. Its length is fixed, so that the text does not move while numbers grow. */
  get label(): string {
    const speed = this.speed;
    const rate = speed === undefined ? '     ' : `${String(Math.min(9999, Math.round(speed))).padStart(3)}/s`;
    const count = `${this.isCounted ? '' : '≈'}${this.tokens}`;
    return `▸ ${this.lane === '' ? '' : `${this.lane} `}${count.padStart(5)}t ${rate} `;
  }

  /** Called with the entry that ends the generation; `generation.finished` reports its tokens and duration. */
  endGeneration(row: EntryRow): void {
    if (this.#growing > 0) {
      const attrs = row.event === EVENTS.generationFinished ? row.attrs() : {};
      const reported = attrs[GEN_AI.outputTokens];
      const isReported = typeof reported === 'number' && reported >= 0;
      const seconds = Number(attrs[ATTRS.duration]) - (Number(attrs[GEN_AI.timeToFirstChunk]) || 0);
      // The reported tokens over the time of the deltas here would be too fast if the first deltas are missing here.
      this.#speed = isReported && seconds > 0 ? reported / seconds : this.speed;
      this.#settled += isReported ? reported : this.#growing;
      this.#isEstimate ||= !isReported;
      this.#growing = 0;
    }
    this.done = true;
    this.version++;
  }

  /** Drops the entries before the place `limit` of the buffer; false when none is left. */
  evict(limit: number): boolean {
    const keep = this.rows.findIndex((row) => row.at >= limit);
    if (keep < 0) return false;
    if (keep > 0) {
      this.rows.splice(0, keep);
      this.#stale = true;
      this.version++;
    }
    return true;
  }
}
