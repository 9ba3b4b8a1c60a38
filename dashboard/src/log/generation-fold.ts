// One generation as one row: it waits, then runs with its text, its tokens and their speed, and then says how it ended.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { LATE_MS } from '../stream/ended-generations.ts';
import { type EntryRow, nameOf } from '../stream/row.ts';
import { Fold } from './fold.ts';
import { oneLine } from './text.ts';
import { duration } from './time.ts';

const INFO = 2;
const WARN = 3;
/** More characters than a row of 400 columns shows, most of them colours. */
const BEGINNING = 200_000;

export class GenerationFold extends Fold {
  /** The lane of a run; empty where the entries name none. */
  readonly lane: string;
  /** Tokens as the deltas say, which is an estimate. */
  #estimate = 0;
  /** Tokens as the service has counted them. */
  #counted: number | undefined;
  /** Tokens per second, by what the end says. */
  #reportedSpeed: number | undefined;
  /** The times of the first delta and of the last. */
  #began = Number.NaN;
  #latest = Number.NaN;
  /** The first characters of the text, kept because rows ask for them at each piece. */
  #beginning = '';
  #plain = true;
  /** Whether entries of the beginning were evicted. */
  #isStale = false;
  /** Its text begins after this entry: what came before was reasoning. */
  #retracted: EntryRow | undefined;
  /** What was said last of the generation, beside its text. */
  #told: EntryRow;
  #end: EntryRow | undefined;
  #isLost = false;

  constructor(first: EntryRow) {
    super(first);
    this.lane = oneLine(nameOf(first.attrs().lane), 16);
    this.#told = first;
    this.#note(first);
  }

  override get isGrowing(): boolean {
    return !this.#end;
  }

  override get level(): number {
    return Math.max(INFO, this.#end?.level ?? 0);
  }

  override get plain(): boolean {
    return this.#saysText ? this.#plain : this.#told.plain;
  }

  /** Its text; before that, what was told of it, and in the end, why it failed. */
  override get text(): string {
    return this.#saysText ? this.said : this.#told.msg;
  }

  override get said(): string {
    let text = '';
    for (let i = this.#textAt; i < this.rows.length; i++) text += this.#pieceAt(i);
    return text;
  }

  override get beginning(): string {
    return this.#saysText ? this.#freshBeginning : this.#told.msg;
  }

  override ending(limit: number): string {
    if (!this.#saysText) return super.ending(limit);
    let text = '';
    for (let i = this.rows.length - 1; i >= this.#textAt && text.length < limit; i--)
      text = this.#pieceAt(i) + text;
    return text.slice(-limit);
  }

  get tokens(): number {
    return this.#counted ?? this.#estimate;
  }

  /** Whether the service counted all tokens, so that none are an estimate. */
  get isCounted(): boolean {
    return this.#counted !== undefined;
  }

  /** Tokens per second: as the end reports, else from the first to the last delta here. */
  get speed(): number | undefined {
    const ms = this.#latest - this.#began;
    return this.#reportedSpeed ?? (ms > 0 ? (this.#estimate * 1000) / ms : undefined);
  }

  override get figures(): string {
    const { speed, tokens } = this;
    if (tokens === 0) return '';
    const deltas = this.rows.filter((row) => row.tokens > 0).length;
    const pieces = `${tokens === 1 ? 'token' : 'tokens'} in ${deltas} ${deltas === 1 ? 'delta' : 'deltas'}`;
    return `: ${this.isCounted ? '' : '≈'}${tokens} ${pieces}${speed === undefined ? '' : `, ${Math.round(speed)} tokens/s`}`;
  }

  override get isGeneration(): boolean {
    return true;
  }

  /** The figures have a fixed length, so that the text does not move while they grow. */
  get label(): string {
    const { speed, tokens } = this;
    const lane = this.lane === '' ? '' : `${this.lane} `;
    const rate = speed === undefined ? '     ' : `${String(Math.min(9999, Math.round(speed))).padStart(3)}/s`;
    const count = `${this.isCounted ? '' : '≈'}${tokens}`.padStart(5);
    return `${this.#mark} ${lane}${this.#took}${tokens > 0 ? `${count}t ${rate} ` : ''}`;
  }

  override takes(row: EntryRow): boolean {
    // One end may be told on two channels, to those who may read the texts and to all.
    if (isEnd(row)) return !this.#isLost && this.#end?.channel !== row.channel;
    if (this.#end && row.tokens > 0) return row.time - this.#end.time <= LATE_MS;
    if (this.#isLost || this.#end || row.event === EVENTS.requestQueued) return false;
    if (row.event === EVENTS.generationStarted) return this.#estimate === 0;
    return row.event !== undefined || row.source === this.first.source;
  }

  override add(row: EntryRow): void {
    super.add(row);
    this.#note(row);
  }

  override hear(row: EntryRow): void {
    super.hear(row);
    this.#note(row);
  }

  /** The end of this one will not be heard any more. */
  override lose(): void {
    super.lose();
    this.#isLost = true;
  }

  override evict(limit: number): boolean {
    const { version } = this;
    const isLeft = super.evict(limit);
    this.#isStale ||= version !== this.version;
    return isLeft;
  }

  get #saysText(): boolean {
    return this.#freshBeginning !== '' && !(this.#end && this.#end.level >= WARN && !this.#isWhole);
  }

  /** The beginning of its text, made anew if entries of it were evicted. */
  get #freshBeginning(): string {
    if (this.#isStale) {
      this.#isStale = false;
      this.#beginning = '';
      this.#plain = true;
      for (let i = this.#textAt; i < this.rows.length && this.#beginning.length < BEGINNING; i++)
        this.#say(this.rows[i] as EntryRow);
    }
    return this.#beginning;
  }

  /** The index of the first entry that may hold a piece of the text. */
  get #textAt(): number {
    return this.#retracted ? this.indexAt(this.#retracted.at) : 0;
  }

  #pieceAt(index: number): string {
    const row = this.rows[index];
    return row && row.tokens > 0 ? row.msg : '';
  }

  get #isWhole(): boolean {
    return this.#end?.event === EVENTS.generationFinished;
  }

  get #mark(): string {
    if (this.#end) return this.#isWhole ? '✓' : '✕';
    if (this.#isLost) return '○';
    return this.#told.event === EVENTS.requestQueued ? '▹' : '▸';
  }

  /** How long it took, where that is known. */
  get #took(): string {
    if (!this.#end) return '';
    const seconds = numberOf(this.#end.attrs()[ATTRS.duration]);
    if (seconds === undefined && this.#end === this.first) return '';
    const ms = seconds === undefined ? this.#end.time - this.first.time : seconds * 1000;
    return `${duration(Math.max(0, ms)).padStart(5)} `;
  }

  #note(row: EntryRow): void {
    this.hasGrown = row.tokens > 0 && !this.#isStale && this.#beginning !== '';
    if (row.event === EVENTS.generationRetracted) {
      this.#retracted = row;
      this.#isStale = true;
    } else if (!this.#isStale) this.#say(row);
    if (row.tokens > 0) {
      this.#estimate += row.tokens;
      this.#latest = row.time;
      if (Number.isNaN(this.#began)) this.#began = row.time;
    } else if (row.event !== undefined) {
      this.#told = row;
      if (isEnd(row)) this.#finish(row);
    }
  }

  #say(row: EntryRow): void {
    if (row.tokens === 0 || this.#beginning.length >= BEGINNING) return;
    this.#beginning += row.msg;
    this.#plain &&= row.plain;
  }

  #finish(row: EntryRow): void {
    this.#end ??= row;
    const attrs = row.attrs();
    const reported = numberOf(attrs[GEN_AI.outputTokens]);
    if (reported === undefined) return;
    this.#counted = reported;
    // The reported tokens over the time of the deltas here would be too fast if the first deltas are missing here.
    const seconds = (numberOf(attrs[ATTRS.duration]) ?? 0) - (numberOf(attrs[GEN_AI.timeToFirstChunk]) ?? 0);
    if (seconds > 0) this.#reportedSpeed = reported / seconds;
  }
}

function isEnd({ event }: EntryRow): boolean {
  return event === EVENTS.generationFinished || event === EVENTS.generationFailed;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
