// Without a SharedWorker each tab holds a connection of its own. Counts them by roll call, so that a tab which went
// without a word does not count for long.

const NAME = 'llm-streamer-streams';
const EVERY_MS = 10_000;
/** Tabs answer from a message, which is not throttled in hidden ones. */
const ANSWER_MS = 2_000;

interface Call {
  id: string;
  isAnswer: boolean;
}

export class StreamCount {
  readonly #id = Math.random().toString(36).slice(2);
  readonly #channel = new BroadcastChannel(NAME);
  readonly #tell: (streams: number) => void;
  /** Tabs known, and those heard of since the latest roll call. */
  #others = new Set<string>();
  #heard = new Set<string>();

  /** `tell` is called as soon as another tab is heard of, and after each roll call. */
  constructor(tell: (streams: number) => void) {
    this.#tell = tell;
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if (!data.isAnswer) this.#post(true);
      this.#heard.add(data.id);
      this.#others.add(data.id);
      this.#tell(this.#others.size + 1);
    };
    this.#callTheRoll();
    setInterval(() => this.#callTheRoll(), EVERY_MS);
  }

  #callTheRoll(): void {
    this.#heard = new Set();
    this.#post(false);
    setTimeout(() => {
      this.#others = this.#heard;
      this.#tell(this.#others.size + 1);
    }, ANSWER_MS);
  }

  #post(isAnswer: boolean): void {
    this.#channel.postMessage({ id: this.#id, isAnswer } satisfies Call);
  }
}
