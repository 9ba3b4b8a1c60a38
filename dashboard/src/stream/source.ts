// Opens the stream of a query: through the SharedWorker where the browser has one, else with a connection of this tab.
import { lazyModule } from '../lazy.ts';
import type { StreamClient } from './client.ts';
import type { FromWorker, ToWorker } from './shared-stream.worker.ts';
import type { StreamListener } from './wire.ts';

const REOPEN_MS = 3_000;

export interface StreamAddress {
  url: string;
  /** Names the session that reads it; streams of different sessions share nothing. */
  session: string;
  /** The id after which it begins, where it continues an earlier one. */
  after?: string | undefined;
}

export interface Source {
  /** Closes the stream opened before and opens another. */
  open(stream: StreamAddress): void;
  nudge(): void;
  close(): void;
}

export function createSource(listener: StreamListener, shared: boolean): Source {
  return shared && 'SharedWorker' in globalThis ? new SharedSource(listener) : new OwnSource(listener);
}

/**
 * Tries again, without end, to load the module that holds the connection, and reports the wait as the stream's state.
 */
class Reopening {
  readonly #listener: StreamListener;
  readonly #open: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;

  constructor(listener: StreamListener, open: () => void) {
    this.#listener = listener;
    this.#open = open;
  }

  later(): void {
    this.cancel();
    this.#attempt++;
    this.#timer = setTimeout(() => this.now(), REOPEN_MS);
    const reason = 'a part of the page could not be loaded: the gateway is away or has been updated';
    const at = Date.now() + REOPEN_MS;
    this.#listener.onStreamState({
      state: 'retrying',
      code: 'not_loaded',
      reason,
      at,
      attempt: this.#attempt,
    });
  }

  /** Ends a wait early; does nothing when none is pending. */
  now(): void {
    if (this.#timer === undefined) return;
    this.cancel();
    this.#open();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

const clientModule = lazyModule(() => import('./client.ts'));
const countModule = lazyModule(() => import('./stream-count.ts'));

/** Holds the connection in this tab. The client is loaded here only, since usually the worker holds the connection. */
class OwnSource implements Source {
  readonly #listener: StreamListener;
  readonly #reopening: Reopening;
  #stream: StreamAddress | undefined;
  #client: StreamClient | undefined;

  constructor(listener: StreamListener) {
    this.#listener = listener;
    this.#reopening = new Reopening(listener, () => this.#stream && this.open(this.#stream));
    countModule()
      .then((loaded) => loaded && new loaded.StreamCount((streams) => listener.onSharing?.(streams, 1)))
      .catch(reportError);
  }

  open(stream: StreamAddress): void {
    this.close();
    this.#stream = stream;
    clientModule()
      .then((loaded) => {
        if (this.#stream !== stream || this.#client) return;
        if (!loaded) {
          this.#reopening.later();
          return;
        }
        // Frames of a stream that was closed may still arrive; they are dropped.
        const isCurrent = () => this.#client === client;
        const listener: StreamListener = {
          onFrames: (frames) => isCurrent() && this.#listener.onFrames(frames),
          onStreamState: (state) => isCurrent() && this.#listener.onStreamState(state),
        };
        const client: StreamClient = new loaded.StreamClient(stream.url, listener, stream.after);
        this.#client = client;
        client.start();
      })
      .catch(reportError);
  }

  nudge(): void {
    this.#reopening.now();
    this.#client?.nudge();
  }

  close(): void {
    this.#reopening.cancel();
    this.#client?.stop();
    this.#client = undefined;
    this.#stream = undefined;
  }
}

class SharedSource implements Source {
  readonly #listener: StreamListener;
  readonly #reopening: Reopening;
  readonly #lock = `llm-streamer-tab-${Math.random().toString(36).slice(2)}`;
  /**
   * Resolves once the tab holds its lock. Only then may the worker request the lock: to get it means the tab is closed.
   */
  readonly #hasLock: Promise<void>;
  #stream: StreamAddress | undefined;
  #port: MessagePort | undefined;

  constructor(listener: StreamListener) {
    this.#listener = listener;
    this.#reopening = new Reopening(listener, () => this.#stream && this.open(this.#stream));
    this.#hasLock = new Promise((resolve) => {
      if (!navigator.locks) resolve();
      navigator.locks
        ?.request(this.#lock, () => {
          resolve();
          return new Promise(() => undefined);
        })
        .catch(reportError);
    });
  }

  open(stream: StreamAddress): void {
    this.close();
    this.#stream = stream;
    // A worker is shared by the tabs that give it the same name, so that no worker serves two sessions.
    const worker = new SharedWorker(new URL('./shared-stream.worker.ts', import.meta.url), {
      type: 'module',
      name: stream.session,
    });
    const port = worker.port;
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (this.#port !== port) return;
      if (data.type === 'frames') this.#listener.onFrames(data.frames);
      else if (data.type === 'state') this.#listener.onStreamState(data.state);
      else this.#listener.onSharing?.(data.streams, data.tabs);
    };
    worker.onerror = () => this.#port === port && this.#reopening.later();
    this.#port = port;
    const { url, after } = stream;
    const join: ToWorker = { type: 'join', url, lock: navigator.locks ? this.#lock : '', after };
    this.#hasLock.then(() => this.#port === port && this.#post(join)).catch(reportError);
  }

  nudge(): void {
    this.#reopening.now();
    this.#post({ type: 'nudge' });
  }

  close(): void {
    this.#reopening.cancel();
    this.#post({ type: 'leave' });
    this.#port?.close();
    this.#port = undefined;
  }

  #post(message: ToWorker): void {
    this.#port?.postMessage(message);
  }
}
