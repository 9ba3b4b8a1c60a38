// All deltas of one generation as one growing line: its text, tokens and speed.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
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

  /** Tokens per second from the first delta to the last; undefined while there is but one. */
  get speed(): number | undefined {
    const ms = this.last.time - this.time;
    return ms > 0 && this.rows.length > 1 ? (this.tokens * 1000) / ms : undefined;
  }

  add(row: EntryRow): void {
    this.rows.push(row);
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

  /** Its generation has an entry that is no delta: `generation.finished` says how many tokens there were. */
  end(row: EntryRow): void {
    if (this.#growing > 0) {
      const said = row.event === EVENTS.generationFinished ? row.attrs()[GEN_AI.outputTokens] : undefined;
      const isSaid = typeof said === 'number' && said >= 0;
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
