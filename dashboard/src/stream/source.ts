// Opens the stream of a query: through the SharedWorker where there is one, else with a connection of this tab's own.
import type { StreamClient } from './client.ts';
import type { FromWorker, ToWorker } from './shared-stream.worker.ts';
import type { LinkListener } from './wire.ts';

export interface Source {
  /** Leaves the stream shown so far and joins that of `url`. */
  open(url: string): void;
  nudge(): void;
  close(): void;
}

export function createSource(listener: LinkListener, shared: boolean): Source {
  return shared && 'SharedWorker' in globalThis ? new SharedSource(listener) : new OwnSource(listener);
}

/** Loads the client only where it is needed: mostly the worker holds it. */
class OwnSource implements Source {
  readonly #listener: LinkListener;
  #client: Promise<StreamClient> | undefined;

  constructor(listener: LinkListener) {
    this.#listener = listener;
  }

  open(url: string): void {
    this.close();
    // Frames of a stream left behind may still be on their way; they belong to nobody.
    const isCurrent = () => this.#client === client;
    const client: Promise<StreamClient> = import('./client.ts').then(
      ({ StreamClient }) =>
        new StreamClient(url, {
          frames: (frames) => isCurrent() && this.#listener.frames(frames),
          link: (link) => isCurrent() && this.#listener.link(link),
        }),
    );
    this.#client = client;
    void client.then((each) => isCurrent() && each.start());
  }

  nudge(): void {
    void this.#client?.then((client) => client.nudge());
  }

  close(): void {
    void this.#client?.then((client) => client.stop());
    this.#client = undefined;
  }
}

class SharedSource implements Source {
  readonly #listener: LinkListener;
  readonly #lock = `llm-streamer-tab-${Math.random().toString(36).slice(2)}`;
  /** The worker may ask for this tab's lock only once the tab holds it: being granted it means that the tab is gone. */
  readonly #held: Promise<void>;
  #port: MessagePort | undefined;

  constructor(listener: LinkListener) {
    this.#listener = listener;
    this.#held = new Promise((resolve) => {
      if (!navigator.locks) resolve();
      void navigator.locks?.request(this.#lock, () => {
        resolve();
        return new Promise(() => undefined);
      });
    });
  }

  open(url: string): void {
    this.close();
    const worker = new SharedWorker(new URL('./shared-stream.worker.ts', import.meta.url), {
      type: 'module',
    });
    const port = worker.port;
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (this.#port !== port) return;
      if (data.type === 'frames') this.#listener.frames(data.frames);
      else if (data.type === 'link') this.#listener.link(data.link);
      else this.#listener.sharing?.(data.streams, data.tabs);
    };
    worker.onerror = () =>
      this.#listener.link({
        state: 'retrying',
        code: 'worker',
        reason: 'the shared worker failed to start; reload the page',
        at: Date.now(),
        attempt: 1,
      });
    this.#port = port;
    const join: ToWorker = { type: 'join', url, lock: navigator.locks ? this.#lock : '' };
    void this.#held.then(() => this.#port === port && this.#post(join));
  }

  nudge(): void {
    this.#post({ type: 'nudge' });
  }

  close(): void {
    this.#post({ type: 'leave' });
    this.#port?.close();
    this.#port = undefined;
  }

  #post(message: ToWorker): void {
    this.#port?.postMessage(message);
  }
}
