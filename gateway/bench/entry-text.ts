// What is published: entries of an exact size that read like a log. Each holds the time at which it was written, by the machine's
// monotonic clock, which is the same in every process, and its number on its lane. A viewer finds both without parsing.

/** One stream of numbered entries: a channel, or one writer's share of a channel. */
export interface Lane {
  channel: string;
  source: string;
}

/** The mark before the stamp; it occurs nowhere else in an entry. */
export const MARK = '@@';
export const STAMP_DIGITS = 16;
export const NUMBER_DIGITS = 10;
/** `@@<stamp>#<number>` */
export const MARK_BYTES = MARK.length + STAMP_DIGITS + 1 + NUMBER_DIGITS;

const VARIANTS = 64;
/** As in a log, there are few different sentences, with a number that changes. */
const SENTENCES = [
  'generation finished, the stream ended with reason stop; ',
  'request queued behind others until a sequence ends; ',
  'tool search returned its results to the agent; ',
  'prefill took longer than the budget allows; ',
  'retry after a timeout, upstream answered 503; ',
  'agent planner handed over to the next writer; ',
  'kv cache nearly full, sequences are waiting; ',
  'chunk streamed to the client, more to come; ',
];

/** Microseconds of the monotonic clock. */
export function nowMicroseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1e3);
}

export class EntryText {
  readonly lane: Lane;
  readonly #texts: string[];

  /** `bytes`: the size of every entry's JSON, before the log adds the head. */
  constructor(lane: Lane, bytes: number) {
    this.lane = lane;
    const rest = bytes - this.#write(0, 0, 0, '').length;
    if (rest < 0) throw new RangeError(`an entry needs ${bytes - rest} bytes`);
    this.#texts = textsOf(rest);
  }

  /** `number` counts from 1. */
  body(time: number, stamp: number, number: number): string {
    return this.#write(time, stamp, number, this.#texts[number % VARIANTS] as string);
  }

  #write(time: number, stamp: number, number: number, text: string): string {
    const { channel, source } = this.lane;
    const mark = `${MARK}${`${stamp}`.padStart(STAMP_DIGITS, '0')}#${`${number}`.padStart(NUMBER_DIGITS, '0')}`;
    const head = `{"time":${`${time}`.padStart(13, '1')},"channel":"${channel}","source":"${source}"`;
    return `${head},"level":"info","msg":"${mark} ${text}","attrs":{"retry":false}}`;
  }
}

const known = new Map<number, string[]>();

/** Texts of one length, the same in every run: a seeded pseudo-random number, and sentences one after another. */
function textsOf(length: number): string[] {
  let texts = known.get(length);
  if (texts) return texts;
  let seed = 7;
  texts = Array.from({ length: VARIANTS }, (_, i) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    let text = `${seed % 1_000} tokens: `;
    for (let at = i; text.length < length; at++) text += SENTENCES[at % SENTENCES.length];
    return text.slice(0, length);
  });
  known.set(length, texts);
  return texts;
}
