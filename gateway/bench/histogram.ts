// Latencies in bounded memory: microseconds in buckets of at most 1.6 %, so that processes can pass them on and add them up.

const SUB = 64;
const BUCKETS = SUB * 40;

export class Histogram {
  readonly counts: Float64Array<ArrayBufferLike>;

  constructor(counts: Float64Array<ArrayBufferLike> = new Float64Array(BUCKETS)) {
    this.counts = counts;
  }

  record(microseconds: number): void {
    const index = bucketOf(microseconds);
    this.counts[index] = (this.counts[index] as number) + 1;
  }

  clear(): void {
    this.counts.fill(0);
  }

  /** In milliseconds; NaN if nothing was recorded. */
  percentile(share: number): number {
    let total = 0;
    for (const count of this.counts) total += count;
    if (total === 0) return Number.NaN;
    let below = 0;
    for (let i = 0; i < this.counts.length; i++) {
      below += this.counts[i] as number;
      if (below >= total * share) return middleOf(i) / 1_000;
    }
    return Number.NaN;
  }
}

// Exact below 2 × SUB µs, then SUB buckets for each doubling.
function bucketOf(microseconds: number): number {
  const value = Math.max(0, Math.floor(microseconds));
  if (value < 2 * SUB) return value;
  const shift = Math.floor(Math.log2(value)) - 6;
  return Math.min(BUCKETS - 1, shift * SUB + Math.floor(value / 2 ** shift));
}

function middleOf(index: number): number {
  if (index < 2 * SUB) return index;
  const shift = Math.floor(index / SUB) - 1;
  return (index - shift * SUB + 0.5) * 2 ** shift;
}
