// Puts foreign messages (a plain PUBLISH from any language) into the log. All gateways hear them, and the one that has the lease
// adopts them, so that each is stored once. The changes of the lease come by the same subscription as the messages. Therefore
// all gateways agree which messages came under which lease.
//
// An example. Gateway A has the lease, and dies. Messages 7 and 8 come while there is no lease: gateways B and C hold them. Then
// B takes the lease, and its announcement comes to both. B adopts 7 and 8, C drops them. Whatever may be lost, such as a
// message that A has received and not stored, is named by a notice on logs:gateway.

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

/** If nobody held the lease for a shorter time than this, nothing is reported: it is renewed only once a second. */
const VACANCY_MS = 2_000;

export class RedisAdopter implements ForeignHandler {
  readonly #append: RedisAppend;
  readonly #instance: string;
  readonly #patterns: readonly { pattern: string; matches: (channel: string) => boolean }[];
  readonly #entryBytes: number;
  readonly #logger: Logger | undefined;
  /** The lease in force, by the order of the subscription; null if there is none, undefined if changes may have been missed. */
  #holder: string | null | undefined;
  /** The lease fell free before this process began to listen. A process that has heard all messages since may take it first. */
  #newcomer = true;
  #publisher: Publisher | undefined;
  /** Messages that came while there was no lease. The next holder adopts them, the other processes drop them. */
  readonly #heldWhileVacant = new BoundedBuffer<{ channel: string; data: Buffer }>();
  #adoptedBefore = 0;
  /** When the subscription last said who adopts, epoch ms. */
  #holderHeardAt = 0;
  /** Why messages since then may be missing; undefined if none are. */
  #interrupted: string | undefined;
  /** The log has refused entries under this process's lease, because the lease had ended. */
  #refused = false;
  /** Writes the notices of what may be missing. They need no lease. */
  readonly #notices: Publisher;
  #resigned: PromiseWithResolvers<void> | undefined;
  /** Messages that came between the release of this process's lease and the next lease. */
  #unclaimed: { channel: string; data: Buffer }[] | undefined;
  /** Still stores messages that came before the lease was released. */
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

  /** The lease that this process holds; '' for none. */
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
    // If another process holds the lease, it has adopted what the log refused here.
    else if (this.#refused && (holder === null || holder.startsWith(`${this.#instance}:`)))
      this.#reportPossibleLoss(this.#holderHeardAt, "the adopter's lease was lost");
    this.#refused = false;
    this.#interrupted = undefined;
    this.#holderHeardAt = Date.now();
    if (holder === this.#holder) return;
    // After an interruption a tick may say that there is no lease, but not since when. The process stays a newcomer then.
    this.#newcomer &&= this.#holder === undefined && holder === null;
    if (this.#resigned) {
      this.#resigned.resolve();
      this.#leavingPublisher ??= this.#publisher;
      this.#publisher = undefined;
    }
    this.#retire();
    this.#holder = holder;
    const held = this.#heldWhileVacant.drain();
    // The next lease may be announced before the reply to `release` arrives.
    if (this.#resigned && holder !== null) this.#unclaimed ??= held;
    const lease = this.lease;
    if (lease === '' || this.#closed) return;
    this.#publisher = new Publisher(
      { publish: (drafts, stamp) => this.#put(drafts, stamp, lease) },
      { source: `gateway-${this.#instance}`, ...(this.#logger && { logger: this.#logger }) },
    );
    for (const { channel, data } of held) this.#publisher.enqueue(this.#decode(channel, data));
  }

  onInterrupted(why: string): void {
    if (this.#patterns.length === 0) return;
    const dropped = this.#heldWhileVacant.drain().length > 0;
    // Another process that has heard them may adopt them, but it is not certain that there is one.
    if (dropped || this.#holder === null)
      this.#reportPossibleLoss(this.#holderHeardAt, `${why} while nobody adopted`);
    this.#interrupted = why;
    // A lease of this process stays in force here: if it has ended, the log refuses entries under it. The lease of another process
    // may have gone to a third one meanwhile.
    if (this.lease !== '') return;
    this.#holder = undefined;
    this.#newcomer = true;
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

  /** Reports that messages may be missing, if nobody held the lease from `lastHeldMs` until now. */
  reportVacancy(lastHeldMs: number): void {
    if (lastHeldMs === 0 || Date.now() - lastHeldMs < VACANCY_MS) return;
    this.#reportPossibleLoss(lastHeldMs, 'no gateway was adopting them');
  }

  onForeignMessage(channel: string, data: Buffer, pattern: string): Draft | null {
    const adopting = this.#patterns.find(({ matches }) => matches(channel))?.pattern;
    if (adopting === undefined) return this.#decode(channel, data);
    if (pattern !== adopting) return null; // a second copy, by another subscription
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

  /** Closes the publisher of a lease that has ended. The log refuses what is still in it. */
  #retire(): void {
    if (!this.#publisher) return;
    const publisher = this.#publisher;
    this.#publisher = undefined;
    this.#adoptedBefore += publisher.counters.published;
    publisher.close(0).catch((error) => this.#logger?.warn(`adopter: ${error.message}`));
  }
}
