// The public keys of the issuer of tokens, fetched from its JWK set: by tokens at most once in 30 seconds, whatever tokens arrive, and
// once a minute from the first token on. A key that the issuer takes out of its set is therefore not good any more after 70 seconds,
// and whoever listens hears of it. While the issuer is away, keys that are known go on for a day, and what needs another key cannot be
// judged.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from 'jose';

/** How old keys may be before they are fetched again. Tokens do not wait for that. */
const FRESH_MS = 60_000;
/** Older ones are used only if the issuer, asked first, does not answer: one that was removed there must not live on here. */
const STALE_MS = 2 * FRESH_MS;
/** The oldest keys that are used at all. */
const GOOD_MS = 24 * 3_600_000;
const PAUSE_MS = 30_000;
const MAX_BYTES = 262_144;
/** Keys that are tried for a token that names none. */
const MAX_CANDIDATES = 10;

interface KeySet {
  text: string;
  /** Each key as it stands there. */
  keys: ReadonlySet<string>;
  find: ReturnType<typeof createLocalJWKSet>;
  fetched: number;
}

interface Options {
  /** Epoch ms. */
  now?: () => number;
  /** How long the issuer may take to answer. */
  timeoutMs?: number;
  /** How old keys are when the issuer is asked for them again (a minute). */
  freshMs?: number;
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
  readonly #freshMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #onGone: () => void = () => {};

  constructor(url: string, { now = Date.now, timeoutMs = 5_000, freshMs = FRESH_MS }: Options = {}) {
    this.#url = url;
    this.#now = now;
    this.#timeoutMs = timeoutMs;
    this.#freshMs = freshMs;
  }

  /** `heard` is called when a key is not good any more: the issuer has taken it out of its set, or was away for too long. */
  onGone(heard: () => void): void {
    this.#onGone = heard;
  }

  /** Asks no more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#onGone = () => {};
  }

  /** Grows when the keys change, so that what was found with others can be forgotten. */
  get version(): number {
    return this.#version;
  }

  /** @throws BrokerUnavailable if there are no keys that are good enough. */
  async current(): Promise<void> {
    const age = this.#age();
    if (age > this.#freshMs && this.#mayAsk()) {
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
        const before = this.#set;
        if (set.text !== before?.text) this.#version += 1;
        this.#set = set;
        this.#fetching = undefined;
        this.#askLater();
        if (before !== undefined && [...before.keys].some((key) => !set.keys.has(key))) this.#onGone();
      },
      () => {
        this.#failed = true;
        this.#fetching = undefined;
        this.#askLater();
        if (this.#set !== undefined && this.#age() > GOOD_MS) this.#onGone();
      },
    );
    return this.#fetching;
  }

  /** Streams that are open show no token again, so nobody else would ask. */
  #askLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      (this.#fetching ?? this.#ask()).catch(() => undefined);
    }, this.#freshMs).unref();
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
    const set = JSON.parse(text) as JSONWebKeySet;
    const find = createLocalJWKSet(set);
    const keys = new Set(set.keys.map((key) => JSON.stringify(key)));
    return { text, keys, find, fetched: this.#now() };
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

/** The same for the same key, in whichever set it stands. */
export function thumbprintOf(key: CryptoKey): Promise<string> {
  return calculateJwkThumbprint(key);
}

function unavailable(): BrokerUnavailable {
  return new BrokerUnavailable("the keys of the tokens' issuer cannot be had now; try again");
}
