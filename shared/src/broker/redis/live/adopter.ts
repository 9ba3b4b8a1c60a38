// Puts foreign messages (a plain PUBLISH from any language) into the log. All gateways hear them, and the one that has the lease
// adopts them, so that each is stored once. The changes of the lease come by the same subscription as the messages. Therefore
// all gateways agree which messages came under which lease.
//
// An example. Gateway A has the lease, and gives it back. Messages 7 and 8 come while there is no lease: gateways B and C hold them.
// Then B takes the lease, and its announcement comes to both. B adopts 7 and 8, C drops them. If A dies instead, B and C take
// it for the holder until its lease ends, and drop what comes till then. Whatever may be lost is named by a notice on logs:gateway.

import { channelMatcher } from '../../../channels.ts';
import { draftPayload } from '../../../decode/decode.ts';
import { type Draft, draft } from '../../../entry.ts';
import { CHANNELS } from '../../../events.ts';
import type { Logger } from '../../../logger.ts';
import { Publisher } from '../../../publish/publisher.ts';
import { settledWithin } from '../../../settled-within.ts';
import type { RedisAppend } from '../append.ts';
import { AdoptionQueue, type ForeignMessage } from './adoption-queue.ts';
import type { ForeignHandler } from './feed.ts';

/** A process that ends waits this long until its last notices are in the log. */
const NOTICES_MS = 1_000;
/** Messages on channels for which there is no place are told of once in this time, however many producers go on. */
const TURNED_AWAY_MS = 60_000;

export class RedisAdopter implements ForeignHandler {
  readonly #append: RedisAppend;
  readonly #instance: string;
  readonly #patterns: readonly { pattern: string; matches: (channel: string) => boolean }[];
  readonly #entryBytes: number;
  readonly #logger: Logger | undefined;
  /**
   * The lease in force, by the order of the subscription; null if there is none, undefined if changes may have been missed. In both of
   * the latter cases messages are held. But only after null is it certain since when nobody adopts (see `#change`).
   */
  #holder: string | null | undefined;
  /** The lease fell free before this process began to listen. A process that has heard all messages since may take it first. */
  #newcomer = true;
  /**
   * Messages that came under this process's lease. Or, in a queue that is not started, messages that came while there was no
   * lease: the next holder adopts them, the other processes drop them.
   */
  #queue: AdoptionQueue;
  /** Still stores messages that came before the lease was released. */
  #leaving: AdoptionQueue | undefined;
  /** Messages that came between the release of this process's lease and the next lease. */
  #unclaimed: AdoptionQueue | undefined;
  #resigned: PromiseWithResolvers<void> | undefined;
  #adoptedBefore = 0;
  /** Each message that was published before this time has come, or was reported as missing. Epoch ms by the log's clock. */
  #heardUpTo = 0;
  /** Why messages since then may be missing; undefined if none are. */
  #interrupted: string | undefined;
  #overflowed = false;
  /** Messages for whose channels the log had no place, since that was told. */
  #turnedAway = 0;
  #nextTurnedAwayNotice = 0;
  /** Writes the notices of what may be missing. They need no lease. */
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

  /** The lease that this process holds; '' for none. */
  get lease(): string {
    return this.#holder?.startsWith(`${this.#instance}:`) ? this.#holder : '';
  }

  get isNewcomer(): boolean {
    return this.#newcomer;
  }

  /**
   * If this process dies now, no message that was published before this time is lost: it is in the log, or a notice there says
   * that it may be missing. Epoch ms by the log's clock; 0 if this is not known.
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
    // A log that was wiped, or replaced by an older copy, may give out the same lease again.
    if (holder !== this.#holder || this.#queue.isRefused) this.#change(holder);
    if (time !== undefined && this.lease !== '') this.#queue.mark(time);
    if (performance.now() >= this.#nextTurnedAwayNotice) this.#reportTurnedAway();
  }

  onInterrupted(why: string): void {
    if (this.#patterns.length === 0) return;
    // A lease of this process stays in force here: if it has ended, the log refuses entries under it. The lease of another process
    // may have gone to a third one meanwhile.
    if (this.lease === '') {
      // Another process that has heard them may adopt them, but it is not certain that there is one.
      if (this.#queue.isIncomplete || this.#holder === null)
        this.#reportPossibleLoss(this.#heardUpTo, `${why} while nobody adopted`);
      this.#queue = this.#newQueue();
      this.#holder = undefined;
      this.#newcomer = true;
    }
    this.#interrupted = why;
  }

  /**
   * Gives the lease back by `release`, which returns how many other processes hear the announcement. Messages before the
   * announcement are still adopted here, and those after it by the next holder. If no other process hears it, messages after it
   * are adopted here as well, until there is a next holder. Resolves when the announcement has come, after `deadlineMs` at the
   * latest.
   */
  async resign(release: () => Promise<unknown>, deadlineMs: number): Promise<void> {
    this.#closed = true;
    if (this.lease === '') return;
    const announced = Promise.withResolvers<void>();
    this.#resigned = announced;
    const [others] = await Promise.all([release(), settledWithin(announced.promise, deadlineMs)]);
    if (others !== 0 || !this.#leaving) return;
    this.#leaving.append(this.#unclaimed ?? this.#queue);
    if (this.#holder === null) this.#queue = this.#leaving;
  }

  /** Reports that messages since `timeMs` (epoch ms) may be missing: the holder before may not have stored them. */
  reportVacancy(timeMs: number): void {
    this.#reportPossibleLoss(timeMs, 'no gateway was adopting them');
  }

  onForeignMessage(channel: string, data: Buffer, pattern: string): Draft | null {
    const adopting = this.#patterns.find(({ matches }) => matches(channel))?.pattern;
    if (adopting === undefined) return this.#decode({ channel, data });
    if (pattern !== adopting) return null; // a second copy, by another subscription
    const isVacant = this.#holder === null || this.#holder === undefined;
    const isMine = this.#queue.isStarted || (isVacant && (!this.#closed || this.#resigned !== undefined));
    if (isMine && !this.#queue.push({ channel, data })) this.#overflowed = true;
    return null;
  }

  /** Stores what is left, for `deadlineMs` at most. Returns whether each message is in the log, or named by a notice there. */
  async close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    const queues = [...new Set([this.#leaving, this.#queue])].filter((queue) => queue?.isStarted);
    const stored = await Promise.all(queues.map((queue) => queue?.close(deadlineMs)));
    const since = Math.min(...queues.map((queue) => queue?.storedUpTo ?? 0));
    const isComplete = stored.every(Boolean);
    if (!isComplete)
      this.#reportPossibleLoss(since, 'the gateway that adopted them ended before it had stored all');
    this.#reportTurnedAway();
    const unreported = await this.#notices.close(NOTICES_MS);
    return isComplete || unreported === 0;
  }

  /**
   * From here on `holder` adopts; null if nobody does. What becomes of the queue of before:
   *
   *   before                     after            the queue
   *   nobody                     nobody, or this  goes on: this process starts to store what it has held
   *   nobody                     another          is dropped, because the other process has held the same
   *   another                    anybody          was empty; a new one begins
   *   this, and not resigning    anybody          is closed (`#retire`): the log refuses what it has not stored
   *   this, resigning            anybody          `#leaving`: it is stored to the end, since it came before the release
   *   nobody, after resigning    another          `#unclaimed`: kept until the reply says whether anybody else has heard it
   */
  #change(holder: string | null): void {
    // After an interruption a tick may say that there is no lease, but not since when. The process stays a newcomer then.
    this.#newcomer &&= this.#holder === undefined && holder === null;
    const [endedLease, ended, wasVacant] = [this.lease, this.#queue, !this.#holder];
    this.#holder = holder;
    const { lease } = this;
    const isContinued = wasVacant && (holder === null || lease !== '');
    if (!isContinued) this.#queue = this.#newQueue();
    if (this.#resigned) {
      this.#resigned.resolve();
      if (endedLease !== '') this.#leaving = ended;
      // The next lease may be announced before the reply to `release` arrives.
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
      onTurnedAway: (messages) => {
        this.#turnedAway += messages;
      },
      logger: this.#logger,
    });
  }

  #reportPossibleLoss(sinceMs: number, why: string): void {
    const msg = `plain PUBLISHes since ${new Date(sinceMs).toISOString()} may be missing: ${why}`;
    this.#notify(msg, { vacant_ms: Date.now() - sinceMs });
  }

  #reportTurnedAway(): void {
    const dropped = this.#turnedAway;
    if (dropped === 0) return;
    this.#turnedAway = 0;
    this.#nextTurnedAwayNotice = performance.now() + TURNED_AWAY_MS;
    const why = 'no place for more channels of plain PUBLISHes (MAX_CHANNELS)';
    this.#notify(`${dropped === 1 ? '1 message' : `${dropped} messages`} on new channels dropped: ${why}`, {
      dropped,
    });
  }

  #notify(msg: string, attrs: Record<string, unknown>): void {
    const source = `gateway-${this.#instance}`;
    this.#notices.enqueue(
      draft({ time: Date.now(), channel: CHANNELS.gateway, source, level: 'warn', msg, attrs }),
    );
  }

  #decode({ channel, data }: ForeignMessage): Draft {
    const context = { channel, now: Date.now(), source: 'redis' };
    try {
      return draftPayload(data, context, this.#entryBytes);
    } catch (error) {
      // The error's message is left out: it may quote what somebody sent.
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

  /** Closes the queue of a lease that has ended. The log refuses what is still in it. */
  #retire(queue: AdoptionQueue): void {
    if (queue.isIncomplete) this.#reportPossibleLoss(queue.storedUpTo, "the adopter's lease was lost");
    this.#adoptedBefore += queue.stored;
    queue.close(0).catch((error) => this.#logger?.warn(`adopter: ${error.message}`));
  }
}
