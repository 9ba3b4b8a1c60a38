// What a reader got beside what a writer was told, while servers fail.

import { setTimeout } from 'node:timers/promises';
import { eventually } from '../../../../test-support/process.ts';
import { randomNamespace } from '../../../../test-support/redis.ts';
import { parsePosition } from '../../../src/broker/position.ts';
import { RedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis/redis-broker.ts';
import { Ear, line } from '../conformance.ts';

const PATIENCE_MS = 60_000;
/** Replicas keep up with a writer who pauses this long after each entry. */
const PACE_MS = 5;

/** Whatever is missing lies in a gap. */
export const EXPLAINED = { unexplained: 0, twice: 0, disordered: 0 };
export const NOTHING_AMISS = { missing: 0, unexplained: 0, twice: 0, disordered: 0, gaps: [] };

/** Somebody who writes numbers, each again until it is acknowledged, and somebody else who listens. */
export class Ledger {
  readonly ear = new Ear();
  /** The positions under which numbers were acknowledged; null where a repeat found that it had been stored. */
  readonly acknowledged = new Map<number, string | null>();
  readonly reader: RedisBroker;
  readonly writer: RedisBroker;
  #stopped = false;
  #writing: Promise<void> = Promise.resolve();

  /** `forReader` are options of the reader alone. */
  constructor(options: RedisBrokerOptions, forReader: Partial<RedisBrokerOptions> = {}) {
    this.reader = new RedisBroker({ ...options, ...forReader });
    this.writer = new RedisBroker(options);
  }

  async open(): Promise<void> {
    await Promise.all([this.reader.open(PATIENCE_MS), this.writer.open(PATIENCE_MS)]);
    await this.reader.subscribe(['a', 'b*'], this.ear);
    this.#writing = this.#write();
    await this.more();
  }

  /** Resolves when this many more numbers have been acknowledged and heard. */
  async more(count = 20): Promise<void> {
    const to = this.acknowledged.size + count;
    await eventually(`${count} more`, () => this.acknowledged.size >= to && this.#hasHeard(to), PATIENCE_MS);
  }

  /** What a reader got, beside what was acknowledged. */
  account() {
    const times = new Map<string, number>();
    for (const msg of this.ear.msgs) times.set(msg, (times.get(msg) ?? 0) + 1);
    // What was acknowledged after the newest that was heard may be on its way.
    const newest = Math.max(0, ...this.ear.msgs.map(Number));
    const missing = [...this.acknowledged].filter(([number]) => number < newest && !times.has(`${number}`));
    const unexplained = missing.filter(([, id]) => id === null || !this.#isInGap(parsePosition(id) ?? 0));
    const positions = this.ear.records.map(({ n }) => n);
    return {
      missing: missing.length,
      unexplained: unexplained.length,
      twice: [...times.values()].filter((count) => count > 1).length,
      disordered: positions.filter((n, i) => i > 0 && n <= (positions[i - 1] as number)).length,
      gaps: this.ear.gaps.map(({ reason }) => reason),
    };
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.reader.close(), this.writer.close(), this.#writing]);
  }

  #hasHeard(number: number): boolean {
    return this.ear.records.some(({ entry }) => Number(entry.msg) >= number);
  }

  #isInGap(n: number): boolean {
    return this.ear.gaps.some(({ after, before }) => after < n && n < before);
  }

  async #write(): Promise<void> {
    const writer = randomNamespace();
    for (let number = 1; !this.#stopped; number++) {
      while (!this.#stopped) {
        const draft = line(number % 2 === 0 ? 'a' : 'b:1', `${number}`);
        const stored = await this.writer.publish([draft], { writer, seq: number }).catch(() => undefined);
        if (stored !== undefined) {
          this.acknowledged.set(number, stored[0] ?? null);
          break;
        }
        await setTimeout(PACE_MS);
      }
      await setTimeout(PACE_MS);
    }
  }
}
