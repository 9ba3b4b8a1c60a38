// How often an address may start runs: a token bucket each, in this process, or shared by all gateways through Redis.

import { isIPv6 } from 'node:net';

export interface RateLimitOptions {
  /** Tokens a full bucket holds. */
  burst: number;
  /** Tokens it gains; 0 turns the limit off. */
  perSecond: number;
}

export interface RateVerdict {
  allowed: boolean;
  /** Whole tokens left. */
  remaining: number;
  /** Milliseconds until the next token; 0 where there is one. */
  retryAfterMs: number;
  /** Milliseconds until the bucket is full. */
  resetMs: number;
}

export interface RateLimiter {
  /** Takes a token of `address`'s bucket. */
  take(address: string): Promise<RateVerdict>;
}

/** The whole of a customer's IPv6 network is one client: each has 2^64 addresses to choose from. */
export function bucketOf(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || !isIPv6(address)) return v4 ?? address;
  const [head = '', tail] = (address.split('%')[0] as string).split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

export function verdictOf(
  { burst, perSecond }: RateLimitOptions,
  allowed: boolean,
  tokens: number,
): RateVerdict {
  return {
    allowed,
    remaining: Math.floor(tokens),
    retryAfterMs: allowed ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000),
    resetMs: Math.ceil(((burst - tokens) / perSecond) * 1000),
  };
}

const MAX_BUCKETS = 50_000;

export class MemoryRateLimiter implements RateLimiter {
  readonly #options: RateLimitOptions;
  readonly #now: () => number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** `now` gives monotonic milliseconds. */
  constructor(options: RateLimitOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  async take(address: string): Promise<RateVerdict> {
    const { burst, perSecond } = this.#options;
    const key = bucketOf(address);
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    const allowed = tokens >= 1;
    const left = allowed ? tokens - 1 : tokens;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: left, at: now });
    this.#forgetFull(now);
    return verdictOf(this.#options, allowed, left);
  }

  /** A bucket that has had time to fill up is as good as none; over the bound the least recent go. */
  #forgetFull(now: number): void {
    const fullAfterMs = (this.#options.burst / this.#options.perSecond) * 1000;
    for (const [key, { at }] of this.#buckets) {
      if (now - at < fullAfterMs && this.#buckets.size <= MAX_BUCKETS) return;
      this.#buckets.delete(key);
    }
  }
}
