// The public keys of the issuer of tokens, fetched from its JWK set. Whatever tokens arrive, the issuer is asked at most once in
// 30 seconds; while it is away, keys that are known go on being good for a day, and what needs another key cannot be judged.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from 'jose';

/** How old keys may be before they are fetched again. Tokens do not wait for that. */
const FRESH_MS = 10 * 60_000;
/** Older ones are used only if the issuer, asked first, does not answer: one that was removed there must not live on here. */
const STALE_MS = 3_600_000;
/** The oldest keys that are used at all. */
const GOOD_MS = 24 * 3_600_000;
const PAUSE_MS = 30_000;
const MAX_BYTES = 262_144;
/** Keys that are tried for a token that names none. */
const MAX_CANDIDATES = 10;

interface KeySet {
  text: string;
  find: ReturnType<typeof createLocalJWKSet>;
  fetched: number;
}

interface Options {
  /** Epoch ms. */
  now?: () => number;
  /** How long the issuer may take to answer. */
  timeoutMs?: number;
}

export class IssuerKeys {
  readonly #url: string;
  readonly #now: () => number;
  readonly #timeoutMs: number;
  #set: KeySet | undefined;
  #asked = Number.NEGATIVE_INFINITY;
  #failed = false;
  #fetching: Promise<void> | undefined;
  #version = 0;

  constructor(url: string, { now = Date.now, timeoutMs = 5_000 }: Options = {}) {
    this.#url = url;
    this.#now = now;
    this.#timeoutMs = timeoutMs;
  }

  /** Grows when the keys change, so that what was found with others can be forgotten. */
  get version(): number {
    return this.#version;
  }

  /** @throws BrokerUnavailable if there are no keys that are good enough. */
  async current(): Promise<void> {
    const age = this.#age();
    if (age > FRESH_MS && this.#mayAsk()) {
      const asked = this.#ask();
      if (age > STALE_MS) await asked;
    } else if (age > STALE_MS) await this.#fetching;
    if (this.#age() > GOOD_MS) throw unavailable();
  }

  /**
   * The keys that may have signed a token of this header; none if the issuer has no such key.
   * @throws BrokerUnavailable if the issuer may have one, but cannot be asked now.
   */
  async candidates(header: JWTHeaderParameters): Promise<CryptoKey[]> {
    await this.current();
    const known = await this.#known(header);
    if (known.length > 0) return known;
    const asked = this.#mayAsk() ? this.#ask() : this.#fetching;
    const found = asked === undefined ? [] : await asked.then(() => this.#known(header));
    if (found.length === 0 && this.#failed) throw unavailable();
    return found;
  }

  #age(): number {
    return this.#set === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#set.fetched;
  }

  #mayAsk(): boolean {
    return this.#fetching === undefined && this.#now() - this.#asked >= PAUSE_MS;
  }

  /** Resolves also if it fails; `#failed` says so. */
  #ask(): Promise<void> {
    this.#asked = this.#now();
    this.#fetching = this.#fetch().then(
      (set) => {
        this.#failed = false;
        if (set.text !== this.#set?.text) this.#version += 1;
        this.#set = set;
        this.#fetching = undefined;
      },
      () => {
        this.#failed = true;
        this.#fetching = undefined;
      },
    );
    return this.#fetching;
  }

  async #fetch(): Promise<KeySet> {
    const answer = await fetch(this.#url, {
      redirect: 'error', // the operator has named one place to trust, and that place cannot name another
      signal: AbortSignal.timeout(this.#timeoutMs),
      headers: { accept: 'application/jwk-set+json, application/json' },
    });
    if (answer.status !== 200 || answer.body === null)
      throw new Error(`the issuer answered ${answer.status}`);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of answer.body) {
      bytes += part.length;
      if (bytes > MAX_BYTES) throw new Error('the key set is too large');
      parts.push(part);
    }
    const text = Buffer.concat(parts).toString();
    return { text, find: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet), fetched: this.#now() };
  }

  async #known(header: JWTHeaderParameters): Promise<CryptoKey[]> {
    if (this.#set === undefined) return [];
    try {
      return [await this.#set.find(header)];
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return [];
      const keys: CryptoKey[] = [];
      for await (const key of error) if (keys.push(key) >= MAX_CANDIDATES) break;
      return keys;
    }
  }
}

function unavailable(): BrokerUnavailable {
  return new BrokerUnavailable("the keys of the tokens' issuer cannot be had now; try again");
}
