// One SSE stream that is always connected or about to be: after each failure it waits, with a growing and jittered
// pause, and resumes after the last id received. A watchdog ends a connection that stays silent. Where the gateway asks who is
// there, the stream ends for good: to ask again without signing in gives the same answer. Runs in a page and in a worker.

import type { Bye, Hello } from '@llm-streamer/shared/stream-events.ts';
import { SseParser } from './sse-parser.ts';
import { controlData, type StreamListener } from './wire.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const ANSWER_TIMEOUT_MS = 15_000;
const TICK_MS = 1_000;
/** When a timer fires late, the computer slept or the tab was throttled: data that is already queued gets this long. */
const GRACE_MS = 4_000;

/** The codes of `bye` after which the session, or the rights, that the stream had are no more. */
const RIGHTS_ENDED: readonly string[] = ['session_ended', 'revoked', 'expired', 'access_changed'];

/** The codes of `403` that the viewer's rights are the reason for. */
const LACKS_RIGHTS: readonly string[] = ['channel_forbidden', 'forbidden'];

class Refused extends Error {
  readonly code: string;
  readonly pause: number | undefined;
  /** Trying again is useless: until somebody has signed in, or as long as the view and the viewer's rights are the same. */
  final: 'refused' | 'forbidden' | undefined;

  constructor(code: string, message: string, pause?: number) {
    super(message);
    this.code = code;
    this.pause = pause;
  }
}

export class StreamClient {
  readonly #url: string;
  readonly #listener: StreamListener;
  readonly #parser = new SseParser();
  #abort: AbortController | undefined;
  #pauseTimer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #attempt = 0;
  #lastReceipt = 0;
  #lastTick = 0;
  #graceUntil = 0;
  #silenceLimit = ANSWER_TIMEOUT_MS;
  #running = false;

  /** With `after`, the stream begins after the entry of that id, as after a reconnect. */
  constructor(url: string, listener: StreamListener, after?: string) {
    this.#url = url;
    this.#listener = listener;
    this.#parser.lastId = after;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#lastTick = Date.now();
    this.#watchdog = setInterval(() => this.#tick(), TICK_MS);
    this.#connect('connecting').catch(reportError);
  }

  stop(): void {
    this.#running = false;
    clearInterval(this.#watchdog);
    clearTimeout(this.#pauseTimer);
    this.#abort?.abort();
  }

  /**
   * After the network came back, the tab became visible or the reader asked: retries now, and soon ends a silent
   * stream.
   */
  nudge(): void {
    if (this.#pauseTimer !== undefined) this.#connect('trying again now').catch(reportError);
    else if (Date.now() - this.#lastReceipt > this.#silenceLimit) this.#graceUntil = Date.now() + TICK_MS;
  }

  #tick(): void {
    const now = Date.now();
    if (now - this.#lastTick > TICK_MS * 4) this.#graceUntil = now + GRACE_MS;
    this.#lastTick = now;
    if (this.#abort === undefined || now < this.#graceUntil) return;
    const silence = now - this.#lastReceipt;
    if (silence > this.#silenceLimit) {
      this.#abort.abort(new Refused('silent', `nothing heard for ${Math.round(silence / 1000)} s`));
    }
  }

  async #connect(reason: string): Promise<void> {
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = undefined;
    if (!this.#running) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#parser.reset();
    this.#silenceLimit = ANSWER_TIMEOUT_MS;
    this.#lastReceipt = Date.now();
    this.#listener.onStreamState({ state: 'connecting', reason });
    let refusal: Refused;
    try {
      refusal = await this.#read(abort.signal);
    } catch (error) {
      const cause: unknown = abort.signal.aborted ? abort.signal.reason : error;
      refusal =
        cause instanceof Refused ? cause : new Refused('unreachable', 'the gateway cannot be reached');
    }
    if (this.#abort !== abort) return;
    this.#abort = undefined;
    abort.abort();
    if (!this.#running) return;
    if (refusal.final) {
      this.stop();
      this.#listener.onStreamState({ state: refusal.final, code: refusal.code, reason: refusal.message });
    } else this.#retry(refusal);
  }

  /** Resolves with the reason why the stream ended. */
  async #read(signal: AbortSignal): Promise<Refused> {
    const lastId = this.#parser.lastId;
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastId !== undefined) headers['Last-Event-ID'] = lastId;
    const askedAt = Date.now();
    const response = await fetch(this.#url, { headers, cache: 'no-store', signal });
    if (response.status === 204) return new Refused('ended', 'the stream has ended');
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || !type.startsWith('text/event-stream') || response.body === null) {
      throw await refused(response);
    }
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let end = new Refused('closed', 'the connection was closed');
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return end;
      this.#lastReceipt = Date.now();
      const frames = this.#parser.push(decoder.decode(value, { stream: true }));
      if (frames.length === 0) continue;
      for (const frame of frames) {
        if (frame.event === '') continue;
        // Not at `hello`: a gateway that accepts and closes each connection at once must be asked less and less often.
        if (frame.event === 'live') this.#attempt = 0;
        if (frame.event === 'hello') this.#greet(controlData<Hello>(frame), askedAt);
        if (frame.event === 'bye') end = closedBy(controlData<Bye>(frame), this.#parser.retry);
      }
      this.#listener.onFrames(frames);
    }
  }

  #greet(hello: Partial<Hello> | undefined, askedAt: number): void {
    const now = Date.now();
    const keepalive = Number(hello?.keepalive) || 30_000;
    this.#silenceLimit = Math.max(keepalive * 2, keepalive + 2_500);
    // The gateway wrote `now` about half a round trip ago. What remains of the difference is that of the two clocks.
    const clockOffset = typeof hello?.now === 'number' ? hello.now - (askedAt + now) / 2 : 0;
    this.#listener.onStreamState({ state: 'live', clockOffset, since: now });
  }

  #retry({ code, message, pause }: Refused): void {
    const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#attempt, 10));
    // The gateway may ask for a shorter pause, but only once: after a second failure the pause grows all the same.
    const least = this.#attempt > 0 ? backoff : 0;
    const wait = Math.max(pause ?? backoff, least) * (0.5 + Math.random() / 2);
    this.#attempt++;
    const at = Date.now() + wait;
    this.#pauseTimer = setTimeout(() => this.#connect('trying again').catch(reportError), wait);
    this.#listener.onStreamState({ state: 'retrying', code, reason: message, at, attempt: this.#attempt });
  }
}

function closedBy(bye: Partial<Bye> | undefined, retry: number | undefined): Refused {
  const pause = typeof bye?.retry === 'number' ? bye.retry : retry;
  const code = String(bye?.code ?? 'bye');
  const end = new Refused(code, String(bye?.message ?? 'the gateway closed the stream'), pause);
  if (RIGHTS_ENDED.includes(code)) end.final = 'refused';
  return end;
}

async function refused(response: Response): Promise<Refused> {
  const status = response.status;
  const seconds = Number(response.headers.get('retry-after'));
  const pause = seconds > 0 ? seconds * 1000 : undefined;
  const problem: unknown = await response.json().catch(() => undefined);
  const { code, title, detail } = (typeof problem === 'object' && problem !== null ? problem : {}) as Record<
    string,
    unknown
  >;
  const reason = [detail, title].find((text) => typeof text === 'string' && text !== '');
  const end = new Refused(
    typeof code === 'string' ? code : `http_${status}`,
    `${status}: ${reason ?? 'refused'}`,
    pause,
  );
  if (status === 401) end.final = 'refused';
  if (status === 403 && LACKS_RIGHTS.includes(end.code)) end.final = 'forbidden';
  return end;
}
