// Puts foreign messages (a plain PUBLISH from any language) into the log: one gateway at a time, the holder of a lease. A
// message counts only if it came while the lease held or, before that, while nobody held one, by the order of this
// process's own subscription. What the lease's holder must leave undone is named by a notice in the log.

import { channelMatcher } from '../../../channels.ts';
import { draftPayload } from '../../../decode/decode.ts';
import { type Draft, draft } from '../../../entry.ts';
import { CHANNELS } from '../../../events.ts';
import type { Logger } from '../../../logger.ts';
import { Publisher } from '../../../publish/publisher.ts';
import type { RedisAppend } from '../append.ts';
import { AdoptionQueue, type ForeignMessage } from './adoption-queue.ts';
import type { ForeignHandler } from './feed.ts';

/** For the last notices of a process that ends. */
const NOTICES_MS = 1_000;

export class RedisAdopter implements ForeignHandler {
  readonly #append: RedisAppend;
  readonly #instance: string;
  readonly #patterns: readonly { pattern: string; matches: (channel: string) => boolean }[];
  readonly #entryBytes: number;
  readonly #logger: Logger | undefined;
  /** Who adopts, as this process's own subscription said last; null for nobody, undefined where it has missed the news. */
  #holder: string | null | undefined;
  /** This process has not heard all that came since the lease fell free: those that have may take it first. */
  #newcomer = true;
  /**
   * What came under this process's own lease or, not started, while nobody was known to adopt: the process that takes the
   * lease next stores it, the others drop it.
   */
  #queue: AdoptionQueue;
  /** Still stores what came before the lease was given back. */
  #leaving: AdoptionQueue | undefined;
  /** What came between the end of this process's own lease and the next one. */
  #unclaimed: AdoptionQueue | undefined;
  #resigned: PromiseWithResolvers<void> | undefined;
  #adoptedBefore = 0;
  /** All that was published before this time has come here or was reported, epoch ms by the log's clock. */
  #heardUpTo = 0;
  /** Why something that was published since then may not have come. */
  #interrupted: string | undefined;
  #overflowed = false;
  /** Says what may be missing; unlike what is adopted, not bound to a lease. */
  readonly #notices: Publisher;
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
    this.#queue = this.#newQueue();
  }

  /** Foreign messages that this process has put into the log. */
  get adopted(): number {
    return this.#adoptedBefore + this.#queue.stored;
  }

  /** The lease this process holds, '' for none. */
  get lease(): string {
    return this.#holder?.startsWith(`${this.#instance}:`) ? this.#holder : '';
  }

  get isNewcomer(): boolean {
    return this.#newcomer;
  }

  /**
   * Of what was published before this time, nothing is lost if this process dies now: it is in the log, or a notice there
   * says that it may be missing. Epoch ms by the log's clock; 0 where this is not known.
   */
  get storedUpTo(): number {
    return this.lease === '' || this.#notices.counters.buffered > 0 ? 0 : this.#queue.storedUpTo;
  }

  onSubscribed(holder: string | null, time: number): void {
    this.onLeaseHolder(holder, time);
    this.#newcomer = holder === null;
  }

  onLeaseHolder(holder: string | null, time?: number): void {
    if (this.#interrupted !== undefined && this.lease !== '')
      this.#reportPossibleLoss(this.#heardUpTo, this.#interrupted);
    if (this.#overflowed) this.#reportPossibleLoss(this.#heardUpTo, 'more came than could be held');
    this.#interrupted = undefined;
    this.#overflowed = false;
    this.#heardUpTo = Math.max(this.#heardUpTo, time ?? 0);
    // A log that was wiped may give out the same lease again.
    if (holder !== this.#holder || this.#queue.isRefused) this.#change(holder);
    if (time !== undefined && this.lease !== '') this.#queue.mark(time);
  }

  onInterrupted(why: string): void {
    if (this.#patterns.length === 0) return;
    // The log refuses what comes under a lease that was lost meanwhile.
    if (this.lease === '') {
      // Another process that heard them may adopt them, or nobody.
      if (this.#queue.isIncomplete || this.#holder === null)
        this.#reportPossibleLoss(this.#heardUpTo, `${why} while nobody adopted`);
      this.#queue = this.#newQueue();
      this.#holder = undefined;
      this.#newcomer = true;
    }
    this.#interrupted = why;
  }

  /**
   * Gives the lease back by `release`, which returns how many others hear the announcement of that. What comes before it is
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
      if (others !== 0 || !this.#leaving) return;
      this.#leaving.append(this.#unclaimed ?? this.#queue);
      if (this.#holder === null) this.#queue = this.#leaving;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Says in the log what may be missing, where the holder before has stored only what was published before `timeMs`. */
  reportVacancy(timeMs: number): void {
    this.#reportPossibleLoss(timeMs, 'no gateway was adopting them');
  }

  onForeignMessage(channel: string, data: Buffer, pattern: string): Draft | null {
    const adopting = this.#patterns.find(({ matches }) => matches(channel))?.pattern;
    if (adopting === undefined) return this.#decode({ channel, data });
    if (pattern !== adopting) return null; // another copy of it
    const isMine =
      this.#queue.isStarted || (!this.#holder && (!this.#closed || this.#resigned !== undefined));
    if (isMine && !this.#queue.push({ channel, data })) this.#overflowed = true;
    return null;
  }

  async close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    const queues = [...new Set([this.#leaving, this.#queue])].filter((queue) => queue?.isStarted);
    const stored = await Promise.all(queues.map((queue) => queue?.close(deadlineMs)));
    const since = Math.min(...queues.map((queue) => queue?.storedUpTo ?? 0));
    const isComplete = stored.every(Boolean);
    if (!isComplete)
      this.#reportPossibleLoss(since, 'the gateway that adopted them ended before it had stored all');
    const unreported = await this.#notices.close(NOTICES_MS);
    return isComplete || unreported === 0;
  }

  /** From this message on, another adopts, or nobody. */
  #change(holder: string | null): void {
    // A tick that says to a process which has missed the news that nobody adopts does not say since when.
    this.#newcomer &&= this.#holder === undefined && holder === null;
    const [endedLease, ended, wasVacant] = [this.lease, this.#queue, !this.#holder];
    this.#holder = holder;
    const { lease } = this;
    const isContinued = wasVacant && (holder === null || lease !== '');
    if (!isContinued) this.#queue = this.#newQueue();
    if (this.#resigned) {
      this.#resigned.resolve();
      if (endedLease !== '') this.#leaving = ended;
      // The announcement of the next lease may come before the reply to the release of this process's own.
      else if (!isContinued) this.#unclaimed ??= ended;
    } else if (endedLease !== '') this.#retire(ended);
    if (lease === '' || this.#closed) return;
    this.#queue.start({ publish: (drafts, stamp) => this.#append.appendBatch(drafts, stamp, lease) });
  }

  #newQueue(): AdoptionQueue {
    return new AdoptionQueue({
      decode: (message) => this.#decode(message),
      source: `gateway-${this.#instance}`,
      since: this.#heardUpTo,
      logger: this.#logger,
    });
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

  #decode({ channel, data }: ForeignMessage): Draft {
    const context = { channel, now: Date.now(), source: 'redis' };
    try {
      return draftPayload(data, context, this.#entryBytes);
    } catch (error) {
      // Not its message, which may quote what somebody sent.
      this.#logger?.error(
        `a message on ${channel} cannot be decoded (${(error as Error).name}), it is kept as text`,
      );
      const msg = data.toString('utf8', 0, this.#entryBytes);
      return draft(
        { time: context.now, channel, source: context.source, level: 'info', msg },
        this.#entryBytes,
      );
    }
  }

  /** What waits under a lost lease is refused by the log. */
  #retire(queue: AdoptionQueue): void {
    if (queue.isIncomplete) this.#reportPossibleLoss(queue.storedUpTo, "the adopter's lease was lost");
    this.#adoptedBefore += queue.stored;
    queue.close(0).catch((error) => this.#logger?.warn(`adopter: ${error.message}`));
  }
}
