// Sends batches so that none is lost or doubled when the collector is killed: each is in the journal before it is sent. If the log
// refuses a batch for good, each of its channels is sent by itself, so that one container costs no other its entries.

import { randomBytes } from 'node:crypto';
import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import type { CodedError } from '@llm-streamer/shared/errors.ts';
import { isRefusal, type PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import type { Delivered, Journal, PendingBatch } from './journal.ts';

/** A draft of the collector, and how far its container is delivered when this entry is. */
export interface CollectedDraft extends Draft {
  container: string;
  delivered: Delivered;
}

export class JournaledTransport implements PublishTransport {
  readonly #inner: PublishTransport;
  readonly #journal: Journal;
  readonly #onRefused: (entries: number, channel: string, error: CodedError) => void;
  readonly #writer = randomBytes(16).toString('hex');
  #seq = 0;
  /** The batch under way; `asked` is the number with which the caller knows it when it asks again. */
  #current: { asked: number; batch: PendingBatch } | undefined;
  /** How many channels of a split batch are settled. */
  #settled = 0;

  constructor(
    inner: PublishTransport,
    journal: Journal,
    onRefused: (entries: number, channel: string, error: CodedError) => void,
  ) {
    this.#inner = inner;
    this.#journal = journal;
    this.#onRefused = onRefused;
  }

  /** Sends what another run of the collector had begun to send; to be called, and repeated while it fails, before `publish`. */
  async resume(): Promise<void> {
    const batch = this.#journal.pending;
    if (batch) await this.#deliver(batch);
  }

  /** Like any transport, it is asked again with the same stamp while it fails. */
  async publish(drafts: readonly CollectedDraft[], { seq: asked }: WriterStamp): Promise<void> {
    if (this.#current?.asked !== asked) {
      const batch = { writer: this.#writer, seq: this.#seq + 1, drafts: [...drafts], isSplit: false };
      await this.#journal.begin(batch, deliveredWith(drafts));
      this.#seq++;
      this.#current = { asked, batch };
    }
    await this.#deliver(this.#current.batch);
  }

  async #deliver(batch: PendingBatch): Promise<void> {
    if (batch.isSplit || !(await this.#deliverWhole(batch))) {
      if (!batch.isSplit) await this.#journal.split(batch);
      await this.#deliverByChannel(batch);
    }
    await this.#journal.finish(batch);
    this.#settled = 0;
  }

  /** False if the log refuses the batch, and a part of it may yet be taken. */
  async #deliverWhole({ writer, seq, drafts }: PendingBatch): Promise<boolean> {
    try {
      await this.#inner.publish(drafts, { writer, seq });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const channel = drafts[0]?.channel ?? '';
      if (drafts.some((draft) => draft.channel !== channel)) return false;
      this.#onRefused(drafts.length, channel, error);
    }
    return true;
  }

  async #deliverByChannel({ writer, seq, drafts }: PendingBatch): Promise<void> {
    const parts = [...Map.groupBy(drafts, ({ channel }) => channel)];
    while (this.#settled < parts.length) {
      const [channel, part] = parts[this.#settled] as [string, Draft[]];
      const stamp = { writer, seq: seq + 1 + this.#settled };
      try {
        await this.#inner.publish(part, stamp);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#onRefused(part.length, channel, error);
      }
      this.#settled++;
    }
    if (writer === this.#writer) this.#seq = seq + parts.length;
  }
}

/** How far each container is delivered when the last of its entries is. */
function deliveredWith(drafts: readonly CollectedDraft[]): Map<string, Delivered> {
  const all = new Map<string, Delivered>();
  for (const { container, delivered } of drafts) all.set(container, { ...all.get(container), ...delivered });
  return all;
}
