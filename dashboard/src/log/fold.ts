// All deltas of one generation as one growing line: its text, tokens and speed.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { EntryRow } from '../stream/row.ts';

export class Fold {
  readonly kind = 'fold';
  readonly key: string;
  /** Place in the buffer of the first entry that is left. */
  at: number;
  /** Place in the view. */
  place = 0;
  readonly rows: EntryRow[];
  /** Rises with each change: a row node knows whether it shows the newest. */
  version = 0;
  /** Of generations that have ended: the service's number where it gave one. */
  #settled = 0;
  /** Of the one that grows: the deltas' estimates. */
  #growing: number;
  #isEstimate = false;
  /** When its first delta that is here came. */
  #began: number;
  /** Of the last that ended, in tokens per second. */
  #speed: number | undefined;
  readonly time: number;
  /** Which task of a run; empty where not said. */
  readonly lane: string;
  /** Its end was seen: nothing more will come. */
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

  /** Whether the tokens are counted by the service, none of them estimated. */
  get isCounted(): boolean {
    return !this.#isEstimate && this.#growing === 0;
  }

  /** Tokens per second of the latest generation: as its end says, else of the deltas here, from the first to the last. */
  get speed(): number | undefined {
    if (this.#growing === 0) return this.#speed;
    const ms = this.last.time - this.#began;
    return ms > 0 ? (this.#growing * 1000) / ms : undefined;
  }

  add(row: EntryRow): void {
    this.rows.push(row);
    if (this.#growing === 0) this.#began = row.time;
    this.#growing += row.tokens;
    if (!this.#stale) this.#text += row.msg;
    this.#plain &&= row.plain;
    this.version++;
  }

  /** What stands before its text; of a steady length, so that the text does not jump as it grows. */
  get label(): string {
    const speed = this.speed;
    const rate = speed === undefined ? '     ' : `${String(Math.min(9999, Math.round(speed))).padStart(3)}/s`;
    const count = `${this.isCounted ? '' : '≈'}${this.tokens}`;
    return `▸ ${this.lane === '' ? '' : `${this.lane} `}${count.padStart(5)}t ${rate} `;
  }

  /** Its generation has an entry that is no delta: `generation.finished` says how many tokens there were, how fast. */
  end(row: EntryRow): void {
    if (this.#growing > 0) {
      const attrs = row.event === EVENTS.generationFinished ? row.attrs() : {};
      const said = attrs[GEN_AI.outputTokens];
      const isSaid = typeof said === 'number' && said >= 0;
      const seconds = Number(attrs[ATTRS.duration]) - (Number(attrs[GEN_AI.timeToFirstChunk]) || 0);
      // Its tokens over the time of the deltas here would be too fast where the view begins in its middle.
      this.#speed = isSaid && seconds > 0 ? said / seconds : this.speed;
      this.#settled += isSaid ? said : this.#growing;
      this.#isEstimate ||= !isSaid;
      this.#growing = 0;
    }
    this.done = true;
    this.version++;
  }

  /** Drops the entries before `limit`; false when none is left. */
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
