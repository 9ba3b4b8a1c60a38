// Live messages held back, as while history is read. Bounded: beyond the bound all are dropped, and `overflowed` says so.

const MAX_BYTES = 32 * 1_048_576;
/** What a message costs beside its data. */
const OVERHEAD_BYTES = 200;

export class BoundedBuffer<Message extends { data: Buffer }> {
  /** Messages were dropped, and none are held until somebody clears this or takes what there is. */
  overflowed = false;
  #messages: Message[] = [];
  #bytes = 0;

  /** False for the message at which the bound is passed. */
  hold(message: Message): boolean {
    if (this.overflowed) return true;
    this.#bytes += message.data.length + OVERHEAD_BYTES;
    if (this.#bytes <= MAX_BYTES) {
      this.#messages.push(message);
      return true;
    }
    this.overflowed = true;
    this.clear();
    return false;
  }

  /** All of them, in order; none are left. */
  drain(): Message[] {
    const messages = this.#messages;
    this.clear();
    this.overflowed = false;
    return messages;
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
