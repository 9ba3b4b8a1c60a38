// Writes the entries of a request to the log, in batches. An exporter sends a whole request again if its answer was not 200, or did
// not come in time. So a batch that was stored is known by its content for two minutes and is not stored again, and one whose fate is
// not known is written under the same stamp again. Between two gateways an entry may come twice, as the protocol allows.

import { createHash, randomBytes } from 'node:crypto';
import {
  type Broker,
  MAX_BATCH_BYTES,
  MAX_BATCH_ENTRIES,
  type WriterStamp,
} from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';

const MAX_REMEMBERED = 2_000;
const REMEMBERED_MS = 120_000;

/** The entries of one record of the request. */
export interface Group {
  drafts: readonly Draft[];
  /** What the client counts. */
  records: number;
  /** Whether the same bytes are the same record; otherwise its time is that of its arrival. */
  timed: boolean;
  /** What the record's entries do not show of it, such as the nanoseconds of its time. */
  exact?: string;
}

export interface Refused {
  records: number;
  code: string;
  reason: string;
}

/** What is known of a batch: it was stored; it is being written; or, with a stamp, nobody knows. */
type Fate = { until: number; writing?: Promise<unknown>; stamp?: WriterStamp };

/** Groups in order, in batches that the log takes. A group is not divided unless it alone is too large for a batch. */
export function* batches(groups: Iterable<Group>): Generator<Group[]> {
  let batch: Group[] = [];
  let entries = 0;
  let bytes = 0;
  for (const group of groups) {
    const size = group.drafts.reduce((sum, { body }) => sum + body.length, 0);
    if (
      batch.length > 0 &&
      (entries + group.drafts.length > MAX_BATCH_ENTRIES || bytes + size > MAX_BATCH_BYTES)
    ) {
      yield batch;
      batch = [];
      entries = 0;
      bytes = 0;
    }
    batch.push(group);
    entries += group.drafts.length;
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

export class Deliveries {
  readonly #broker: Broker;
  /** Stamps of writers that wait for their next batch. A writer has one batch at a time, so its numbers rise in order. */
  readonly #idle: WriterStamp[] = [];
  readonly #fates = new Map<string, Fate>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Stores a batch that `batches` has made. Gives what the log will never take, because of its channel.
   * @throws BrokerUnavailable, or PublishRefused `log_full`: the client may send the same again.
   */
  async deliver(batch: readonly Group[], writer: string): Promise<Refused[]> {
    try {
      await this.#storeGroups(batch, writer);
      return [];
    } catch (error) {
      if (!isFinal(error)) throw error;
      const { code, message: reason } = error;
      const byChannel = Map.groupBy(batch, ({ drafts }) => drafts[0]?.channel);
      if (byChannel.size === 1)
        return [{ records: batch.reduce((sum, one) => sum + one.records, 0), code, reason }];
      const refused: Refused[] = [];
      for (const part of byChannel.values()) refused.push(...(await this.deliver(part, writer)));
      return refused;
    }
  }

  async #storeGroups(batch: readonly Group[], writer: string): Promise<void> {
    const drafts = batch.flatMap((group) => group.drafts);
    const mark = batch.every(({ timed }) => timed) ? markOf(batch, writer) : undefined;
    for (const part of parts(drafts)) await this.#store(part, part === drafts ? mark : undefined);
  }

  async #store(drafts: readonly Draft[], mark: string | undefined): Promise<void> {
    const fate = mark === undefined ? undefined : this.#fateOf(mark);
    if (fate?.writing !== undefined) {
      // The client has given up waiting and sends it again.
      await fate.writing.catch(() => undefined);
      return this.#store(drafts, mark);
    }
    if (fate !== undefined && fate.stamp === undefined) return;
    const stamp = fate?.stamp ?? this.#idle.pop() ?? { writer: randomBytes(16).toString('hex'), seq: 1 };
    const writing = this.#broker.publish(drafts, stamp);
    this.#remember(mark, { writing });
    try {
      await writing;
    } catch (error) {
      if (isRefusal(error)) {
        this.#idle.push(stamp);
        this.#forget(mark);
      } else this.#remember(mark, { stamp });
      throw error;
    }
    this.#idle.push({ writer: stamp.writer, seq: stamp.seq + 1 });
    this.#remember(mark, {});
  }

  #fateOf(mark: string): Fate | undefined {
    const fate = this.#fates.get(mark);
    if (fate === undefined || fate.until > Date.now()) return fate;
    this.#fates.delete(mark);
    return undefined;
  }

  #remember(mark: string | undefined, fate: Omit<Fate, 'until'>): void {
    if (mark === undefined) return;
    this.#fates.delete(mark);
    this.#fates.set(mark, { ...fate, until: Date.now() + REMEMBERED_MS });
    for (const oldest of this.#fates.keys()) {
      if (this.#fates.size <= MAX_REMEMBERED) break;
      this.#fates.delete(oldest);
    }
  }

  #forget(mark: string | undefined): void {
    if (mark !== undefined) this.#fates.delete(mark);
  }
}

/** A span with many large events can be more than one batch. */
function parts(drafts: Draft[]): Draft[][] {
  const made = [...batches(drafts.map((one) => ({ drafts: [one], records: 1, timed: true })))];
  return made.length === 1 ? [drafts] : made.map((part) => part.flatMap((group) => group.drafts));
}

function markOf(batch: readonly Group[], writer: string): string {
  const hash = createHash('sha256').update(writer);
  for (const { drafts, exact = '' } of batch) {
    hash.update(`\n${exact}`);
    for (const { body } of drafts) hash.update('\n').update(body);
  }
  return hash.digest('base64');
}

function isRefusal(error: unknown): boolean {
  return error instanceof CodedError && error.code !== 'broker_unavailable';
}

/** Whether the log will never take these entries. Others it may take later. */
function isFinal(error: unknown): error is CodedError {
  return error instanceof CodedError && ['too_many_channels', 'channel_unusable'].includes(error.code);
}
