// Remembers who a credential is, so that thousands of reconnecting viewers cost few look-ups, and share one principal. While the
// store is away, whoever was known goes on. Memory is bounded, however many credentials are made up, and made-up ones never drive
// out real ones.

import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { Principal } from '../principal.ts';
import { concerns, mayMakeKnown } from '../rights/rights-change.ts';
import type { CredentialCheck } from './credential-check.ts';

export interface PrincipalCacheOptions {
  /** Milliseconds for which an answer needs no look-up (5000). */
  freshMs?: number;
  /** Known credentials, and as many unknown ones (10,000). */
  max?: number;
  /** Look-ups at a time (1000). With one more the store counts as away for the one who asks. */
  maxLookUps?: number;
  now?: () => number;
}

/** While the store is away, a known credential waits for a look-up that fails once in this time. */
const AWAY_MS = 1_000;
/** Look-ups for one answer, if the rights of whoever it finds change during each of them. */
const MAX_REPEATS = 10;
/** Changes that are remembered for look-ups under way. */
const MAX_RECENT = 1_000;

interface Known {
  principal: Principal;
  /** Until when it needs no look-up. */
  fresh: number;
}

export class PrincipalCache implements CredentialCheck {
  readonly #check: CredentialCheck;
  readonly #freshMs: number;
  readonly #max: number;
  readonly #maxLookUps: number;
  readonly #now: () => number;
  /** By the digest of the credential, so that no credential stays in memory. Those that were looked up last come last. */
  readonly #known = new Map<string, Known>();
  /** Until when it is unknown. */
  readonly #unknown = new Map<string, number>();
  readonly #lookUps = new Map<string, Promise<Principal | undefined>>();
  /** Grows with each change of rights. What was looked up before it may be wrong of those whom it names. */
  #changes = 0;
  /** The newest changes, while anything is looked up. */
  readonly #recent: ReadonlySet<string>[] = [];

  constructor(
    check: CredentialCheck,
    { freshMs = 5_000, max = 10_000, maxLookUps = 1_000, now = Date.now }: PrincipalCacheOptions = {},
  ) {
    this.#check = check;
    this.#freshMs = freshMs;
    this.#max = max;
    this.#maxLookUps = maxLookUps;
    this.#now = now;
  }

  /** Credentials that are remembered, known or not. */
  get size(): number {
    return this.#known.size + this.#unknown.size;
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    const digest = hash('sha256', credential, 'base64url');
    const now = this.#now();
    const known = this.#known.get(digest);
    if (known !== undefined && now < known.fresh) return valid(known.principal, now);
    if (now < (this.#unknown.get(digest) ?? 0)) return undefined;
    try {
      return valid(await this.#lookUpOnce(digest, credential), this.#now());
    } catch (error) {
      // Read anew: it may have been revoked while the look-up failed.
      const remembered = this.#known.get(digest);
      if (!(error instanceof BrokerUnavailable) || remembered === undefined) throw error;
      remembered.fresh = this.#now() + AWAY_MS;
      return valid(remembered.principal, this.#now());
    }
  }

  /**
   * Rights have changed. Those who are named are forgotten, so that they are let in again only if the store says so; others are not
   * looked up for somebody else's change. With `*` everybody is looked up again, and nobody forgotten: that would shut everybody out
   * while the store is away.
   *
   * @param principals as in `RightsChange`
   */
  changed(principals: readonly string[]): void {
    this.#changes++;
    const change = new Set(principals);
    if (mayMakeKnown(change)) this.#unknown.clear();
    if (this.#lookUps.size === 0) this.#recent.length = 0;
    this.#recent.push(change);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    const named = new Set(principals);
    const isAll = named.delete('*');
    for (const [digest, known] of this.#known) {
      if (isAll) known.fresh = 0;
      if (concerns(named, known.principal)) this.#known.delete(digest);
    }
  }

  /** Requests with one credential that come together make one look-up. */
  #lookUpOnce(digest: string, credential: string): Promise<Principal | undefined> {
    const running = this.#lookUps.get(digest);
    if (running !== undefined) return running;
    if (this.#lookUps.size >= this.#maxLookUps)
      return Promise.reject(new BrokerUnavailable('too many credentials are looked up at once'));
    const lookUp = this.#lookUp(digest, credential).finally(() => this.#lookUps.delete(digest));
    this.#lookUps.set(digest, lookUp);
    return lookUp;
  }

  async #lookUp(digest: string, credential: string): Promise<Principal | undefined> {
    const principal = await this.#askStore(credential);
    const fresh = this.#now() + this.#freshMs;
    if (principal === undefined) {
      this.#known.delete(digest);
      remember(this.#unknown, digest, fresh, this.#max);
      return undefined;
    }
    const before = this.#known.get(digest)?.principal;
    const same = isDeepStrictEqual(before, principal) ? (before as Principal) : principal;
    this.#unknown.delete(digest);
    remember(this.#known, digest, { principal: same, fresh }, this.#max);
    return same;
  }

  async #askStore(credential: string): Promise<Principal | undefined> {
    for (let i = 0; i < MAX_REPEATS; i++) {
      const before = this.#changes;
      const principal = await this.#check.principalOf(credential);
      // An answer from before a change of these rights could let in somebody who has just been shut out.
      if (!this.#hasChanged(before, principal)) return principal;
    }
    throw new BrokerUnavailable('rights change too often to be looked up');
  }

  #hasChanged(before: number, principal: Principal | undefined): boolean {
    const count = this.#changes - before;
    if (count === 0) return false;
    if (count > this.#recent.length) return true;
    return this.#recent
      .slice(-count)
      .some((changed) => (principal === undefined ? mayMakeKnown(changed) : concerns(changed, principal)));
  }
}

function valid(principal: Principal | undefined, now: number): Principal | undefined {
  return principal !== undefined && now < principal.expires ? principal : undefined;
}

/** Drops what was looked up longest ago if there is too much. */
function remember<T>(map: Map<string, T>, digest: string, value: T, max: number): void {
  map.delete(digest);
  map.set(digest, value);
  if (map.size > max) map.delete(map.keys().next().value as string);
}
