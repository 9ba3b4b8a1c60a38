// Ends the streams of those whose rights have changed, on this process. Once a second it compares the revision of the store, so that a
// change is found even if its message was lost; and while it cannot compare, nothing may be delivered (see `wait`).

import { isDeepStrictEqual } from 'node:util';
import type { DeliveryGuard } from '@llm-streamer/shared/broker/delivery-guard.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { settledWithin } from '@llm-streamer/shared/settled-within.ts';
import type { Principal } from '../principal.ts';
import { renewalOf } from '../renewal.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { ALL_TOKENS, concerns } from './rights-change.ts';

/** Why somebody's streams end: codes of `bye`. */
export type RightsLoss = 'session_ended' | 'revoked' | 'access_changed';

/** All streams of one kind on this process. */
export interface PrincipalStreams {
  /** Of those who have streams here. */
  principals(): Iterable<Principal>;
  /** Ends the streams of each principal for whom `lossOf` gives a code. */
  endStreams(lossOf: (principal: Principal) => RightsLoss | undefined): void;
}

export interface RightsWatchOptions {
  store: AuthStore;
  /** Called in the step in which a change becomes known, before streams end: what is remembered of principals is wrong now. */
  forget: (principals: readonly string[]) => void;
  logger: Logger;
}

const COMPARE_MS = 1_000;
/** Rights that were not looked at for this long may have changed. A change therefore ends deliveries within this time. */
const STALE_MS = 2_500;
/** How long whoever must not deliver waits before he gives up. */
const PATIENCE_MS = 5_000;
/** The reason why somebody's streams end may take this long to be found. They end in any case. */
const REASON_MS = 500;
/** After `*` all who have streams are looked up again, for this long at the most. Streams of those who are left then end. */
const RENEW_MS = 1_500;
/** Look-ups of them at a time, so that nobody waits long for the store or for this process. */
const RENEW_AT_ONCE = 50;
/** Changes that are remembered for requests that were under way meanwhile. */
const MAX_RECENT = 1_000;

interface Change {
  mark: number;
  principals: ReadonlySet<string>;
}

export class RightsWatch implements DeliveryGuard {
  readonly #options: RightsWatchOptions;
  readonly #recent: Change[] = [];
  #streams: readonly PrincipalStreams[] = [];
  #timer: NodeJS.Timeout | undefined;
  #staleTimer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  #revision: number | undefined;
  #mark = 0;
  /** When the newest comparison that succeeded began, by the monotonic clock. */
  #comparedAt = Number.NEGATIVE_INFINITY;
  /** A comparison that began before this does not count. */
  #invalidSince = Number.NEGATIVE_INFINITY;
  #comparing = false;
  #isWanted = false;
  /** Whether the next comparison looks again at those who have come with tokens. */
  #doubtsTokens = false;
  #fresh = Promise.withResolvers<void>();
  #waiting: Promise<void> | undefined;
  #onStale: () => void = () => {};
  #closed = false;

  constructor(options: RightsWatchOptions) {
    this.#options = options;
  }

  /** Begins to compare. Resolves also while the store is away. */
  async open(streams: readonly PrincipalStreams[]): Promise<void> {
    this.#streams = streams;
    this.#unsubscribe = this.#options.store.onChange(() => this.#compareSoon());
    this.#timer = setInterval(() => this.#compareSoon(), COMPARE_MS);
    await this.#compare();
    if (!this.#isFresh()) this.#onStale();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#staleTimer);
    this.#unsubscribe?.();
    this.#fresh.resolve();
  }

  /** Taken before a credential is looked at; `changedSince` then says whether what was found is still true. */
  get mark(): number {
    return this.#mark;
  }

  /**
   * Whether the rights of `principal` have changed after `mark` was taken. A stream that is being opened is among no streams yet,
   * so that it would miss its own end.
   */
  changedSince(mark: number, principal: Principal): boolean {
    if (mark === this.#mark) return false;
    const oldest = this.#recent[0]?.mark ?? this.#mark;
    if (mark < oldest - 1) return true;
    return this.#recent.some((change) => change.mark > mark && concerns(change.principals, principal));
  }

  /** Looks again at all who have come with a token of the issuer: a key of the issuer may be gone. */
  doubtTokens(): void {
    this.#doubtsTokens = true;
    this.#compareSoon();
  }

  onStale(holdBack: () => void): void {
    this.#onStale = holdBack;
  }

  invalidate(): void {
    this.#invalidSince = performance.now();
    this.#compareSoon();
  }

  wait(): Promise<void> | undefined {
    if (this.#isFresh()) return undefined;
    this.#waiting ??= this.#untilFresh().finally(() => {
      this.#waiting = undefined;
    });
    this.#waiting.catch(() => undefined); // each caller handles it, but there may be none any more
    return this.#waiting;
  }

  #isFresh(): boolean {
    const oldest = Math.max(this.#invalidSince, performance.now() - STALE_MS);
    return this.#closed || this.#comparedAt >= oldest;
  }

  async #untilFresh(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const why = 'the rights of viewers cannot be looked at';
    const timer = setTimeout(() => late.reject(new BrokerUnavailable(why)), PATIENCE_MS);
    try {
      while (!this.#isFresh()) await Promise.race([this.#fresh.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #compareSoon(): void {
    this.#compare().catch((error) => this.#options.logger.error({ err: error }, 'comparing rights failed'));
  }

  /** One comparison is under way at a time. A request that comes meanwhile is served right after it. */
  async #compare(): Promise<void> {
    this.#isWanted = true;
    if (this.#comparing) return;
    this.#comparing = true;
    try {
      while (this.#isWanted && !this.#closed) {
        this.#isWanted = false;
        const began = performance.now();
        await this.#lookForChanges();
        this.#comparedAt = began;
        this.#becameFresh();
      }
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error;
    } finally {
      this.#comparing = false;
    }
  }

  #becameFresh(): void {
    clearTimeout(this.#staleTimer);
    const left = this.#comparedAt + STALE_MS - performance.now();
    this.#staleTimer = setTimeout(() => this.#onStale(), Math.max(0, left)).unref();
    this.#fresh.resolve();
    this.#fresh = Promise.withResolvers<void>();
  }

  async #lookForChanges(): Promise<void> {
    const { store } = this.#options;
    if (this.#doubtsTokens) {
      this.#doubtsTokens = false;
      await this.#apply(new Set([ALL_TOKENS]));
    }
    const revision = await store.revision();
    if (revision === this.#revision) return;
    // Before the first comparison nothing is known. Whoever has a stream by then is looked at anew.
    const change =
      this.#revision === undefined
        ? { revision, principals: ['*'] }
        : await store.changesSince(this.#revision);
    this.#revision = change.revision;
    await this.#apply(new Set(change.principals));
  }

  async #apply(principals: ReadonlySet<string>): Promise<void> {
    const streams = this.#streams;
    this.#options.forget([...principals]);
    this.#recent.push({ mark: ++this.#mark, principals });
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    const affected = new Set<Principal>();
    for (const one of streams)
      for (const principal of one.principals()) if (concerns(principals, principal)) affected.add(principal);
    if (affected.size === 0) return;
    const [reasons, kept] =
      principals.has('*') || principals.has(ALL_TOKENS)
        ? await this.#compareRights(affected)
        : [await this.#reasons(principals, affected), new Set<Principal>()];
    // Those who came in the meantime are ended, too.
    const lossOf = (principal: Principal) =>
      concerns(principals, principal) && !kept.has(principal)
        ? (reasons.get(principal) ?? 'access_changed')
        : undefined;
    for (const one of streams) one.endStreams(lossOf);
  }

  /** Why streams end, and whose go on, because the rights that they were given are the same still. What is not known in time is neither. */
  async #compareRights(
    affected: ReadonlySet<Principal>,
  ): Promise<[Map<Principal, RightsLoss>, Set<Principal>]> {
    const reasons = new Map<Principal, RightsLoss>();
    const kept = new Set<Principal>();
    const left = affected.values();
    const until = performance.now() + RENEW_MS;
    const work = async () => {
      for (const principal of left) {
        if (performance.now() > until) return;
        const loss = await lossSince(principal);
        if (loss === undefined) kept.add(principal);
        else reasons.set(principal, loss);
      }
    };
    await settledWithin(Promise.allSettled(Array.from({ length: RENEW_AT_ONCE }, work)), RENEW_MS);
    return [reasons, kept];
  }

  /** What is not known in time is left out. */
  async #reasons(
    changed: ReadonlySet<string>,
    affected: ReadonlySet<Principal>,
  ): Promise<Map<Principal, RightsLoss>> {
    const reasons = new Map<Principal, RightsLoss>();
    const deadline = performance.now() + REASON_MS;
    const find = async () => {
      for (const principal of affected) {
        if (performance.now() >= deadline) return;
        reasons.set(principal, await this.#lossOf(changed, principal));
      }
    };
    await settledWithin(find(), REASON_MS);
    return reasons;
  }

  async #lossOf(changed: ReadonlySet<string>, principal: Principal): Promise<RightsLoss> {
    const { store } = this.#options;
    const { id, kind, owner, session } = principal;
    if (kind === 'key' && changed.has(id)) {
      const keys = await store.keys();
      return keys.some((key) => `key:${key.id}` === id) ? 'access_changed' : 'revoked';
    }
    const user = await store.user(owner);
    // There is no record of people whom an identity provider knows.
    if (user?.disabled || (user === undefined && changed.has(`user:${owner}`))) return 'revoked';
    if (session !== undefined && changed.has(`session:${session}`)) return 'session_ended';
    if (session === undefined) return 'access_changed';
    return (await store.sessionOf(owner, session)) === undefined ? 'session_ended' : 'access_changed';
  }
}

/** What somebody has lost since he was let in; undefined for nothing. @throws BrokerUnavailable */
async function lossSince(principal: Principal): Promise<RightsLoss | undefined> {
  const renew = renewalOf(principal);
  if (renew === undefined) return 'access_changed';
  const now = await renew();
  if (now === undefined) return principal.session === undefined ? 'revoked' : 'session_ended';
  return isDeepStrictEqual(now, principal) ? undefined : 'access_changed';
}
