// Writes a run's entries in order. It joins the deltas of a lane for 40 ms, or for as long as an append takes if that is longer.
// So a slow log gets fewer and larger entries, not a queue of small ones.

import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from '@llm-streamer/shared/broker/broker.ts';
import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { deltaParts } from './delta-parts.ts';
import type { LanePlan } from './run-plan.ts';

/** Appends to the run's channel. @throws PublishRefused `fenced` once the run has ended. */
export interface RunAppender {
  append(drafts: readonly Draft[]): Promise<void>;
}

export type DeltaKind = 'text' | 'reasoning';

interface OpenDelta {
  lane: LanePlan;
  kind: DeltaKind;
  text: string;
}

const COALESCE_MS = 40;

export interface JournalOptions {
  appender: RunAppender;
  entryBytes: number;
  delta(lane: LanePlan, kind: DeltaKind, text: string): EntryFields;
  /** Called once, when an append has failed; nothing is written after that. */
  onBroken(error: unknown): void;
}

export class Journal {
  readonly #options: JournalOptions;
  #queue: (EntryFields | OpenDelta)[] = [];
  /** For each lane, the delta that further text is added to. */
  readonly #open = new Map<LanePlan, OpenDelta>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  appendDelta(lane: LanePlan, kind: DeltaKind, text: string): void {
    const open = this.#open.get(lane);
    if (open?.kind === kind) {
      open.text += text;
      return;
    }
    const fresh = { lane, kind, text };
    this.#open.set(lane, fresh);
    this.#queue.push(fresh);
    if (!this.#timer && !this.#writing) this.#timer = setTimeout(() => this.#flush(), COALESCE_MS);
  }

  /** Queues an entry of `lane` and writes it as soon as no append is under way. */
  appendEntry(fields: EntryFields, lane: LanePlan): void {
    this.#open.delete(lane);
    this.#queue.push(fields);
    if (!this.#writing) this.#flush();
  }

  /** Resolves when everything is in the log. @throws the error of the append that failed. */
  async drain(): Promise<void> {
    while (this.#writing || this.#queue.length > 0) {
      if (!this.#writing) this.#flush();
      await this.#writing;
    }
    if (this.#broken) throw this.#broken.error;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#broken) this.#queue = [];
    if (this.#writing || this.#queue.length === 0) return;
    const items = this.#queue;
    this.#queue = [];
    this.#open.clear();
    this.#writing = this.#write(items)
      .catch((error: unknown) => {
        this.#broken = { error };
        this.#options.onBroken(error);
      })
      .finally(() => {
        this.#writing = undefined;
        if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#flush(), this.#pauseMs());
      });
  }

  /** Events that waited for the append are written at once. Deltas are joined for some time first. */
  #pauseMs(): number {
    return this.#queue.some((item) => 'event' in item) ? 0 : COALESCE_MS;
  }

  async #write(items: readonly (EntryFields | OpenDelta)[]): Promise<void> {
    let batch: Draft[] = [];
    let bytes = 0;
    for (const fields of items.flatMap((item) => ('text' in item ? this.#deltas(item) : [item]))) {
      const next = draft(fields, this.#options.entryBytes);
      const size = Buffer.byteLength(next.body);
      if (batch.length > 0 && (batch.length >= MAX_BATCH_ENTRIES || bytes + size > MAX_BATCH_BYTES)) {
        await this.#options.appender.append(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(next);
      bytes += size;
    }
    await this.#options.appender.append(batch);
  }

  #deltas({ lane, kind, text }: OpenDelta): EntryFields[] {
    const { entryBytes, delta } = this.#options;
    return deltaParts(text, entryBytes).map((part) => delta(lane, kind, part));
  }
}
