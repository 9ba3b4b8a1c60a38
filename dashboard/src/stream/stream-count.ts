// Counts the tabs where there is no SharedWorker and each tab holds a connection of its own. Every tab answers a
// regular roll call, so that a closed tab is counted for twelve seconds at most.

const NAME = 'llm-streamer-streams';
const EVERY_MS = 10_000;
/** Long enough for hidden tabs, too: browsers throttle their timers, but not their messages. */
const ANSWER_MS = 2_000;

interface Call {
  id: string;
  isAnswer: boolean;
}

export class StreamCount {
  readonly #id = Math.random().toString(36).slice(2);
  readonly #channel = new BroadcastChannel(NAME);
  readonly #onCount: (streams: number) => void;
  /** The other tabs, and those that answered the latest roll call. */
  #others = new Set<string>();
  #answered = new Set<string>();

  /** `onCount` is called when another tab answers and after each roll call. */
  constructor(onCount: (streams: number) => void) {
    this.#onCount = onCount;
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if (!data.isAnswer) this.#post(true);
      this.#answered.add(data.id);
      this.#others.add(data.id);
      this.#onCount(this.#others.size + 1);
    };
    this.#callTheRoll();
    setInterval(() => this.#callTheRoll(), EVERY_MS);
  }

  #callTheRoll(): void {
    this.#answered = new Set();
    this.#post(false);
    setTimeout(() => {
      this.#others = this.#answered;
      this.#onCount(this.#others.size + 1);
    }, ANSWER_MS);
  }

  #post(isAnswer: boolean): void {
    this.#channel.postMessage({ id: this.#id, isAnswer } satisfies Call);
  }
}
