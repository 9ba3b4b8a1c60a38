// Sends one batch at a time to the log, and repeats it unchanged, after longer and longer pauses, until its outcome is known. The
// batch carries the writer's stamp (writer and number), so the log recognizes a repeat of a batch that it has taken.

import { randomBytes } from 'node:crypto';
import type { WriterStamp } from '../broker/broker.ts';
import type { Draft } from '../entry.ts';
import { BrokerUnavailable, CodedError, PublishRefused } from '../errors.ts';
import type { LinkState } from './link-state.ts';

/** Takes batches: a Broker, or a gateway over HTTP. An error may have a property `retryAfterMs`. */
export interface PublishTransport {
  /** @throws BrokerUnavailable, or an error without a code, if the outcome is unknown; any other CodedError refuses the batch. */
  publish(drafts: readonly Draft[], stamp: WriterStamp): Promise<unknown>;
}

export interface Outcome {
  kind: 'acknowledged' | 'refused' | 'abandoned';
  /** Entries that the log has taken. */
  taken: number;
}

/** One entry refuses its whole batch; without it the log would take the others. */
export class EntryRefused extends CodedError {
  readonly index: number;
  /** Every entry on its channel would be refused, too. */
  readonly isChannel: boolean;

  constructor(code: string, message: string, field: string, index: number) {
    super(code, message, { field });
    this.name = 'EntryRefused';
    this.index = index;
    this.isChannel = field.endsWith('.channel');
  }
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** A server may ask a writer to wait, but not to wait longer than this. */
const RETRY_AFTER_MAX_MS = 60_000;

export class Delivery {
  /** 128 random bits. With the number of the batch they identify a batch, also when it is repeated. */
  readonly writer = randomBytes(16).toString('hex');
  readonly #transport: PublishTransport;
  readonly #link: LinkState;
  readonly #random: () => number;
  #seq = 0;
  #abandoned = false;
  #endPause: (() => void) | undefined;
  /** Batches sent again. */
  retries = 0;

  /** `random` gives a number from 0 to 1, for the jitter of retries. */
  constructor(transport: PublishTransport, link: LinkState, random: () => number) {
    this.#transport = transport;
    this.#link = link;
    this.#random = random;
  }

  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Sends a batch until its outcome is known, or until `abandon` is called. Entries that alone are refused are left out, under the
   * same number: nothing of that number was stored. `dropped` gives the number of entries that were lost
   * and that no notice has reported yet; it is called when the outcome is known, for the line that the link logs.
   */
  async send(drafts: readonly Draft[], dropped: () => number): Promise<Outcome> {
    const stamp = { writer: this.writer, seq: ++this.#seq };
    let left = drafts;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#transport.publish(left, stamp);
        this.#link.acknowledged(dropped(), left.length === drafts.length);
        return { kind: 'acknowledged', taken: left.length };
      } catch (error) {
        if (isRefusal(error)) {
          const rest = without(error, left);
          this.#link.refused(error, left.length - rest.length, dropped());
          left = rest;
          if (left.length === 0) return { kind: 'refused', taken: 0 };
          attempt = -1;
          continue;
        }
        if (this.#abandoned) return { kind: 'abandoned', taken: 0 };
        this.#link.unreachable(error);
        await this.pause(this.#delay(attempt, error));
        if (this.#abandoned) return { kind: 'abandoned', taken: 0 };
        this.retries++;
      }
    }
  }

  /** Waits `ms`, or until `hurry` or `abandon` is called. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#endPause = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#endPause = end;
    });
  }

  hurry(): void {
    this.#endPause?.();
  }

  /** Ends the attempts. A batch that was sent without an answer so far may still arrive. */
  abandon(): void {
    this.#abandoned = true;
    this.hurry();
  }

  #delay(attempt: number, error: unknown): number {
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 10));
    const asked = Math.min(RETRY_AFTER_MAX_MS, retryAfter(error));
    return Math.max(asked, backoff * (0.5 + this.#random() / 2));
  }
}

/** What may be sent again after a refusal; each refusal leaves less. */
function without(error: CodedError, drafts: readonly Draft[]): readonly Draft[] {
  if (error instanceof PublishRefused && error.channels.length > 0)
    return drafts.filter(({ channel }) => !error.channels.includes(channel));
  if (!(error instanceof EntryRefused)) return [];
  const refused = drafts[error.index];
  if (refused === undefined) return [];
  return drafts.filter((one) => one !== refused && !(error.isChannel && one.channel === refused.channel));
}

/** Whether the log will never take a batch that failed with this error. */
export function isRefusal(error: unknown): error is CodedError {
  return error instanceof CodedError && !(error instanceof BrokerUnavailable) && error.code !== 'log_full';
}

function retryAfter(error: unknown): number {
  const value = (error as { retryAfterMs?: unknown } | null)?.retryAfterMs;
  return typeof value === 'number' && value > 0 ? value : 0;
}
