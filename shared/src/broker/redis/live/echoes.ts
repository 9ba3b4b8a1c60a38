// Tells the log's echo of an announcement from a foreign message. Both come on the plain name of a channel, and anybody may copy
// the bytes. But an echo is published by the same script as its announcement, right behind it, and Redis runs nothing in between.
//
// Each announcement says whether an echo follows it.
//
// An example. Two subscriptions of this process, `logs*` and `l*`, bring the channel `logs`:
//   {ns}:=logs A    announced, with an echo
//   logs       A    by `logs*`: the echo
//   logs       A    by `l*`: a copy of the same echo
//   logs       A    by `logs*`: a second message by the same subscription, which somebody has copied. It is foreign.
//
// It relies on one thing: whoever hears the plain name of a channel also hears its announcements, and has done so for longer.

export class Echoes {
  #channel = '';
  /** The newest announcement; undefined if it has no echo, or if something else came since. */
  #announced: Buffer | undefined;
  /** The subscriptions that have brought its echo. */
  readonly #broughtBy: string[] = [];

  /** `data` is what is repeated; undefined for an announcement without an echo. */
  onAnnounced(channel: string, data: Buffer | undefined): void {
    this.#channel = channel;
    this.#announced = data;
    this.#broughtBy.length = 0;
  }

  /** Whether a message on the plain name of `channel` is an echo. To be asked of each such message, in order. */
  isEcho(channel: string, data: Buffer, pattern: string): boolean {
    if (this.#announced === undefined) return false;
    const isSame = channel === this.#channel && data.equals(this.#announced);
    if (isSame && !this.#broughtBy.includes(pattern)) {
      this.#broughtBy.push(pattern);
      return true;
    }
    this.#announced = undefined;
    return false;
  }

  /** The connection is new. */
  reset(): void {
    this.#announced = undefined;
  }
}
