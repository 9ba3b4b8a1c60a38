// Puts the entries of a shipper's request into the log. Entries that the sender may not write, or that the log refuses for good, cost
// the others nothing; where the log is away, the sender is told to send the same again, and what was stored is known then.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Access } from '../auth/access.ts';
import { batches, Deliveries, type Group } from '../otlp/deliveries.ts';
import { MAX_RECORDS, MAX_STORED_BYTES } from './limits.ts';

/** One record of a request: what it becomes, or why it can become nothing. */
export type Shipped = { entry: EntryFields; exact: string } | { refusal: CodedError };

export interface Stored {
  accepted: number;
  refused: number;
  /** Why the first one was refused. */
  reason?: CodedError;
}

export interface StoreOptions {
  broker: Broker;
  entryBytes: number;
  slicer: TimeSlicer;
}

export class ShipperStore {
  readonly #options: StoreOptions;
  readonly #deliveries: Deliveries;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#deliveries = new Deliveries(options.broker);
  }

  /** @throws CodedError: the request is too large, or may be sent again */
  async store(records: Iterable<Shipped>, access: Access): Promise<Stored> {
    const { entryBytes, slicer } = this.#options;
    const groups: Group[] = [];
    const stored: Stored = { accepted: 0, refused: 0 };
    let bytes = 0;
    for (const record of records) {
      if (groups.length + stored.refused >= MAX_RECORDS)
        throw new CodedError('batch_too_large', `at most ${MAX_RECORDS} entries in one request`);
      const pause = slicer.pauseIfDue();
      if (pause) await pause;
      if ('refusal' in record) {
        refuse(stored, 1, record.refusal);
        continue;
      }
      const one = draft(record.entry, entryBytes);
      bytes += one.body.length;
      if (bytes > MAX_STORED_BYTES)
        throw new CodedError(
          'batch_too_large',
          `the entries of the request have over ${MAX_STORED_BYTES} bytes`,
        );
      try {
        access.checkPublish(one);
        groups.push({ drafts: [one], records: 1, timed: true, exact: record.exact });
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        refuse(stored, 1, error);
      }
    }
    return this.deliver(groups, access, stored);
  }

  /** Stores groups of one entry each, which `access` may write. @throws CodedError: the same may be sent again */
  async deliver(
    groups: readonly Group[],
    access: Access,
    stored: Stored = { accepted: 0, refused: 0 },
  ): Promise<Stored> {
    for (const batch of batches(groups)) {
      for (const { records, code, reason } of await this.#deliveries.deliver(batch, access.principal.id)) {
        refuse(stored, records, new CodedError(code, reason));
        stored.accepted -= records;
      }
      stored.accepted += batch.length;
    }
    return stored;
  }
}

/** What the sender is told where a part was refused; undefined if all is stored. */
export function partialRefusal({ accepted, refused, reason }: Stored): CodedError | undefined {
  if (reason === undefined) return undefined;
  // Its own status would ask for the same again, which would be refused again.
  const code = reason.code === 'channel_unusable' ? 'invalid_entry' : reason.code;
  const others = accepted === 0 ? '' : `; the other ${accepted} are stored`;
  return new CodedError(
    code,
    `${refused} of ${refused + accepted} entries refused: ${reason.message}${others}`,
  );
}

function refuse(stored: Stored, records: number, reason: CodedError): void {
  stored.refused += records;
  stored.reason ??= reason;
}
