// Puts foreign messages (a plain PUBLISH from any language) into the log: one gateway at a time, held by a lease. A
// message counts only if it came while the lease held or, before that, while nobody held one, by the order of this
// process's own subscription. That begins with the news of who holds it, so that its first message counts, too.

import { channelMatcher } from '../../../channels.ts';
import { draftPayload } from '../../../decode/decode.ts';
import { type Draft, draft } from '../../../entry.ts';
import { PublishRefused } from '../../../errors.ts';
import { CHANNELS } from '../../../events.ts';
import type { Logger } from '../../../logger.ts';
import { Publisher } from '../../../publish/publisher.ts';
import { BoundedBuffer } from '../../bounded-buffer.ts';
import type { WriterStamp } from '../../broker.ts';
import type { RedisAppend } from '../append.ts';
import type { ForeignHandler } from './feed.ts';

/** A shorter vacancy is the ordinary time between two renewals. */
const VACANCY_MS = 2_000;

export class RedisAdopter implements ForeignHandler {
  readonly #append: RedisAppend;
  readonly #instance: string;
  readonly #patterns: readonly { pattern: string; matches: (channel: string) => boolean }[];
  readonly #entryBytes: number;
  readonly #logger: Logger | undefined;
  /** Who adopts, as this process's own subscription last told; null for nobody, undefined where it has missed the news. */
  #holder: string | null | undefined;
  /** This process has not heard all that came since the lease fell free: those who have may take it first. */
  #newcomer = true;
  #publisher: Publisher | undefined;
  /** What came while nobody was known to adopt: whoever takes the lease next puts it into the log, the others drop it. */
  readonly #heldWhileVacant = new BoundedBuffer<{ channel: string; data: Buffer }>();
  #adoptedBefore = 0;
  /** When this process's own subscription last told who adopts, epoch ms; and why something of it is missing since. */
  #holderHeardAt = 0;
  #interrupted: string | undefined;
  /** The log has taken nothing of late: the lease was not this process's any more. */
  #refused = false;
  /** Says what may be missing; unlike what is adopted, not bound to a lease. */
  readonly #notices: Publisher;
  #resigned: PromiseWithResolvers<void> | undefined;
  /** What came between the end of this process's own lease and the next one. */
  #unclaimed: { channel: string; data: Buffer }[] | undefined;
  /** Still sends what came before the lease was given back. */
  #leavingPublisher: Publisher | undefined;
  #closed = false;

  constructor(options: {
    append: RedisAppend;
    instance: string;
    patterns: readonly string[];
    entryBytes: number;
    logger: Logger | undefined;
  }) {
    this.#append = options.append;
    this.#instance = options.instance;
    this.#patterns = options.patterns.map((pattern) => ({ pattern, matches: channelMatcher(pattern) }));
    this.#entryBytes = options.entryBytes;
    this.#logger = options.logger;
    this.#notices = new Publisher(
      { publish: (drafts, stamp) => this.#append.appendBatch(drafts, stamp) },
      { source: `gateway-${this.#instance}`, noticeChannel: CHANNELS.gateway },
    );
  }

  /** Foreign messages that this process has put into the log. */
  get adopted(): number {
    return this.#adoptedBefore + (this.#publisher?.counters.published ?? 0);
  }

  /** The lease this process holds, '' for none. */
  get lease(): string {
    return this.#holder?.startsWith(`${this.#instance}:`) ? this.#holder : '';
  }

  get isNewcomer(): boolean {
    return this.#newcomer;
  }

  onSubscribed(holder: string | null): void {
    this.onLeaseHolder(holder);
    this.#newcomer = holder === null;
  }

  onLeaseHolder(holder: string | null): void {
    if (this.#interrupted !== undefined && this.lease !== '')
      this.#reportPossibleLoss(this.#holderHeardAt, this.#interrupted);
    // Whoever else holds the lease has had what the log refused here.
    else if (this.#refused && (holder === null || holder.startsWith(`${this.#instance}:`)))
      this.#reportPossibleLoss(this.#holderHeardAt, "the adopter's lease was lost");
    this.#refused = false;
    this.#interrupted = undefined;
    this.#holderHeardAt = Date.now();
    if (holder === this.#holder) return;
    // A tick that tells a process which has missed the news that nobody adopts does not tell it since when.
    this.#newcomer &&= this.#holder === undefined && holder === null;
    if (this.#resigned) {
      this.#resigned.resolve();
      this.#leavingPublisher ??= this.#publisher;
      this.#publisher = undefined;
    }
    this.#retire();
    this.#holder = holder;
    const waited = this.#heldWhileVacant.drain();
    // The announcement of the next lease may come before the reply to the release of this process's own.
    if (this.#resigned && holder !== null) this.#unclaimed ??= waited;
    const lease = this.lease;
    if (lease === '' || this.#closed) return;
    this.#publisher = new Publisher(
      { publish: (drafts, stamp) => this.#put(drafts, stamp, lease) },
      { source: `gateway-${this.#instance}`, ...(this.#logger && { logger: this.#logger }) },
    );
    for (const { channel, data } of waited) this.#publisher.enqueue(this.#decode(channel, data));
  }

  onInterrupted(why: string): void {
    if (this.#patterns.length === 0) return;
    const held = this.#heldWhileVacant.drain().length > 0;
    // Another that heard them may adopt them, or nobody.
    if (held || this.#holder === null)
      this.#reportPossibleLoss(this.#holderHeardAt, `${why} while nobody adopted`);
    this.#interrupted = why;
    // The log refuses what comes under a lease that was lost meanwhile; another's may have gone to a third.
    if (this.lease !== '') return;
    this.#holder = undefined;
    this.#newcomer = true;
  }

  /**
   * Gives the lease back by `release`, which tells how many others hear the announcement of that. What comes before it is
   * still adopted here, what comes after it is the next holder's; where nobody else has heard it, what comes before there is
   * a next holder is adopted here, too. Resolves when the announcement has come, after `deadlineMs` at the latest.
   */
  async resign(release: () => Promise<unknown>, deadlineMs: number): Promise<void> {
    this.#closed = true;
    if (this.lease === '') return;
    const announced = Promise.withResolvers<void>();
    this.#resigned = announced;
    const deadline = setTimeout(announced.resolve, deadlineMs);
    try {
      const [others] = await Promise.all([release(), announced.promise]);
      const unclaimed = this.#unclaimed ?? this.#heldWhileVacant.drain();
      if (others !== 0) return;
      for (const { channel, data } of unclaimed) this.#leavingPublisher?.enqueue(this.#decode(channel, data));
      if (this.#holder === null) this.#publisher = this.#leavingPublisher;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Says in the log what may be missing, when nobody adopted since `lastHeldMs`. */
  reportVacancy(lastHeldMs: number): void {
    if (lastHeldMs === 0 || Date.now() - lastHeldMs < VACANCY_MS) return;
    this.#reportPossibleLoss(lastHeldMs, 'no gateway was adopting them');
  }

  onForeignMessage(channel: string, data: Buffer, pattern: string): Draft | null {
    const adopting = this.#patterns.find(({ matches }) => matches(channel))?.pattern;
    if (adopting === undefined) return this.#decode(channel, data);
    if (pattern !== adopting) return null; // another copy of it
    if (this.#publisher) this.#publisher.enqueue(this.#decode(channel, data));
    else if (
      !this.#holder &&
      (!this.#closed || this.#resigned) &&
      !this.#heldWhileVacant.hold({ channel, data })
    )
      this.#reportPossibleLoss(this.#holderHeardAt, 'nobody adopted, and they were too many to hold');
    return null;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [this.#publisher, this.#leavingPublisher, this.#notices].map((publisher) =>
        publisher?.close(deadlineMs),
      ),
    );
  }

  async #put(drafts: readonly Draft[], stamp: WriterStamp, lease: string): Promise<(string | null)[]> {
    try {
      return await this.#append.appendBatch(drafts, stamp, lease);
    } catch (error) {
      this.#refused ||= error instanceof PublishRefused && error.code === 'lease_lost';
      throw error;
    }
  }

  #reportPossibleLoss(sinceMs: number, why: string): void {
    const fields = {
      time: Date.now(),
      channel: CHANNELS.gateway,
      source: `gateway-${this.#instance}`,
      level: 'warn' as const,
      msg: `plain PUBLISHes since ${new Date(sinceMs).toISOString()} may be missing: ${why}`,
      attrs: { vacant_ms: Date.now() - sinceMs },
    };
    this.#notices.enqueue(draft(fields));
  }

  #decode(channel: string, data: Buffer): Draft {
    return draftPayload(data, { channel, now: Date.now(), source: 'redis' }, this.#entryBytes);
  }

  /** What waits in a lost lease's publisher is refused by the log: another gateway has had it, or nobody may. */
  #retire(): void {
    if (!this.#publisher) return;
    const publisher = this.#publisher;
    this.#publisher = undefined;
    this.#adoptedBefore += publisher.counters.published;
    publisher.close(0).catch((error) => this.#logger?.warn(`adopter: ${error.message}`));
  }
}
