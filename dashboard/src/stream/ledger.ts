// Proves that no entry is missing, or says how many are. At each ping this must hold:
//   received = replayed + (ping.count − hello.count)
// Example: `hello` says count 100, then 3 entries are replayed, then 4 arrive live. A ping with count 104 agrees with the
// 7 received. A ping with count 106 shows that 2 entries were lost on the way: a gap of size 2. Gaps that the gateway
// reports itself are counted as it reports them.

import type { Hello } from '@llm-streamer/shared/stream-events.ts';
import { GapRow } from './row.ts';

export class Ledger {
  /** Entries received in this view; an entry that came again after a reconnect counts once. */
  received = 0;
  /** Sum of the gaps of known size. */
  lost = 0;
  /** Gaps of unknown size. */
  unknown = 0;
  /** How many pings were compared, and when the latest was, by the page's clock. */
  checks = 0;
  checkedAt = 0;
  /** Entries that came again after a reconnect; they are shown once. */
  duplicates = 0;

  #helloCount = 0;
  #replayed = 0;
  #live = 0;
  #isLive = false;
  /** Entries missing since `live` that are counted already: reported gaps, and differences found at earlier pings. */
  #accounted = 0;
  /** Live gaps of unknown size: the difference at the next ping is their size. */
  #unsized: GapRow[] = [];
  #lastChecked: string | undefined;

  /** Starts the comparison anew, with a new connection's `hello`. */
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

  /** Called at `live`: gives a gap if fewer entries arrived than the gateway replayed. */
  checkReplay(replayed: number, position: string | undefined): GapRow | undefined {
    this.#isLive = true;
    const missing = replayed - this.#replayed;
    const gap = missing > 0 ? this.#transit(missing, this.#lastChecked, position) : undefined;
    this.#lastChecked = position ?? this.#lastChecked;
    return gap;
  }

  /** Counts a gap that the gateway reported. */
  countReportedGap(gap: GapRow): void {
    this.countGap(gap);
    if (this.#isLive && gap.missed !== null) this.#accounted += gap.missed;
    if (this.#isLive && gap.missed === null) this.#unsized.push(gap);
  }

  /** Compares the counts; gives the gap that only this comparison shows. */
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

  /** Changes the size of a counted gap: it became known, or some of the gap's entries were loaded. */
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
