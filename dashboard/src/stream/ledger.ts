// Proves that nothing is missing, or says what is: received = replayed + (ping.count − hello.count), at each ping.
// A difference is a gap of known size; what the gateway reports as a gap is a gap as it says.

import type { Hello } from '@llm-streamer/shared/stream-events.ts';
import { GapRow } from './row.ts';

export class Ledger {
  /** Entries received in this view, each once. */
  received = 0;
  /** Sum of the gaps of known size. */
  lost = 0;
  /** Gaps of unknown size. */
  unknown = 0;
  /** Pings at which the books were compared, and when by the page's clock. */
  checks = 0;
  checkedAt = 0;
  /** Entries that came again after a reconnect; shown once. */
  duplicates = 0;

  #helloCount = 0;
  #replayed = 0;
  #live = 0;
  #isLive = false;
  /** Missing since `live` and already in the books: announced gaps and differences found. */
  #accounted = 0;
  /** Live gaps without a size: the next ping sizes them. */
  #unsized: GapRow[] = [];
  #lastChecked: string | undefined;

  /** A connection begins; what went before is settled. */
  beginConnection(hello: Partial<Hello>, position: string | undefined): void {
    this.#helloCount = Number(hello.count ?? 0);
    this.#replayed = 0;
    this.#live = 0;
    this.#isLive = false;
    this.#accounted = 0;
    this.#unsized = [];
    this.#lastChecked = position;
  }

  countEntry(isDuplicate: boolean): void {
    if (this.#isLive) this.#live++;
    else this.#replayed++;
    if (isDuplicate) this.duplicates++;
    else this.received++;
  }

  /** The replay is complete: as many entries as the gateway says that it sent. */
  checkReplay(replayed: number, position: string | undefined): GapRow | undefined {
    this.#isLive = true;
    const missing = replayed - this.#replayed;
    const gap = missing > 0 ? this.#transit(missing, this.#lastChecked, position) : undefined;
    this.#lastChecked = position ?? this.#lastChecked;
    return gap;
  }

  countReportedGap(gap: GapRow): void {
    this.countGap(gap);
    if (this.#isLive && gap.missed !== null) this.#accounted += gap.missed;
    if (this.#isLive && gap.missed === null) this.#unsized.push(gap);
  }

  /** Compares the books; gives the gap that only the comparison shows. */
  checkPing(count: number, position: string | undefined): GapRow | undefined {
    if (!this.#isLive || !Number.isFinite(count)) return undefined;
    const missing = count - this.#helloCount - this.#live - this.#accounted;
    this.checks++;
    this.checkedAt = Date.now();
    const from = this.#lastChecked;
    this.#lastChecked = position ?? from;
    const [unsized, ...more] = this.#unsized;
    this.#unsized = [];
    if (missing <= 0) return undefined;
    this.#accounted += missing;
    if (unsized && more.length === 0) {
      this.resizeGap(unsized, missing);
      return undefined;
    }
    return this.#transit(missing, from, position);
  }

  countGap(gap: GapRow): void {
    if (gap.missed === null) this.unknown++;
    else this.lost += gap.missed;
  }

  /** A gap's size is known now, or has changed because some of it was loaded. */
  resizeGap(gap: GapRow, missed: number | null): void {
    if (gap.missed === null) this.unknown--;
    else this.lost -= gap.missed;
    gap.missed = missed;
    this.countGap(gap);
  }

  #transit(missed: number, after: string | undefined, before: string | undefined): GapRow {
    const gap = new GapRow({ reason: 'transit', channel: null, after, before, missed });
    this.countGap(gap);
    return gap;
  }
}
