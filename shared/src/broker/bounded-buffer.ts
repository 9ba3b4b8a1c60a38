// Live messages that wait, for example until history has been read. At most 32 MiB: beyond that all of them are dropped, and
// `overflowed` says so.

const MAX_BYTES = 32 * 1_048_576;
/** About how much memory a message takes besides its data. */
const OVERHEAD_BYTES = 200;

export class BoundedBuffer<Message extends { data: Buffer }> {
  /** True once messages were dropped. Then no message is held until `drain` is called, or until this is set to false. */
  overflowed = false;
  #messages: Message[] = [];
  #bytes = 0;

  /** Returns false for the message that passes the bound, so that a caller can report each overflow once. */
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

  /** Takes all messages out, in order. */
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
