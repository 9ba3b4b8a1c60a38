// Generations that have ended lately: a delta that was late on its way, as over another connection than the end, is not taken for one that
// runs. It remembers the last 256.

/** What comes this long after the end is no longer late, but of another generation whose start was not heard. */
export const LATE_MS = 2_000;
/** What has said nothing for this long is no longer taken for running: its end was not heard. */
export const LOST_MS = 10 * 60_000;
const MAX_ENDED = 256;

export class EndedGenerations {
  /** When each ended, the first first. */
  readonly #ended = new Map<string, { at: number; channel: string }>();

  end(key: string, at: number, channel: string): void {
    this.#ended.delete(key);
    this.#ended.set(key, { at, channel });
    const [first] = this.#ended.keys();
    if (this.#ended.size > MAX_ENDED && first !== undefined) this.#ended.delete(first);
  }

  /** Another one of this name has begun. */
  begin(key: string): void {
    this.#ended.delete(key);
  }

  isLate(key: string, at: number): boolean {
    const end = this.#ended.get(key);
    return end !== undefined && at - end.at <= LATE_MS;
  }

  /** Whether an end is one that was told already, to others who may read another channel. */
  isToldAgain(key: string, at: number, channel: string): boolean {
    return this.isLate(key, at) && this.#ended.get(key)?.channel !== channel;
  }
}
