// Slows down those who guess passwords and credentials, or make sessions and keys without end. What is refused is always an address, a
// name together with an address, or whoever has signed in himself: whoever types another's name wrong a thousand times makes him wait a
// moment, and never locks him out.

import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { clientOf } from '../client-of.ts';
import type { AttemptCounter, Limit } from './attempt-counter.ts';
import type { Principal } from './principal.ts';

/** How long an attempt waits where its name was tried too often, from whatever addresses. */
const DELAY_MS = 2_000;
/** Attempts of one client, and clients with attempts, that may wait at a time; further ones of names that are tried too often are refused. */
const MAX_DELAYED_OF_CLIENT = 2;
const MAX_DELAYED = 10_000;

export class Throttle {
  readonly #counter: AttemptCounter;
  readonly #delayMs: number;
  /** Attempts that wait, by client. */
  readonly #delayed = new Map<string, number>();

  constructor(counter: AttemptCounter, delayMs: number = DELAY_MS) {
    this.#counter = counter;
    this.#delayMs = delayMs;
  }

  /** Counts an attempt to sign in, before a password is looked at. @throws TooManyAttempts; BrokerUnavailable */
  async attempt(name: string, address: string): Promise<void> {
    await this.countAddress(address);
    await this.#orRefuse('pair', pairOf(name, address));
    if ((await this.#counter.count('name', digest(name))) === 0) return;
    const client = clientOf(address);
    const own = this.#delayed.get(client) ?? 0;
    if (own >= MAX_DELAYED_OF_CLIENT || this.#delayed.size >= MAX_DELAYED)
      throw new TooManyAttempts(this.#delayMs);
    this.#delayed.set(client, own + 1);
    try {
      await pause(this.#delayMs);
    } finally {
      const left = (this.#delayed.get(client) ?? 1) - 1;
      if (left > 0) this.#delayed.set(client, left);
      else this.#delayed.delete(client);
    }
  }

  /** The attempt was good: whoever knows his password is not held up by those who share his address. */
  async succeeded(name: string, address: string): Promise<void> {
    await this.uncountAddress(address);
    await this.#counter.forget('pair', pairOf(name, address));
  }

  /** Counts another attempt to come in from this address, such as to sign up. @throws as `attempt` */
  async countAddress(address: string): Promise<void> {
    await this.#orRefuse('address', clientOf(address));
  }

  /** The attempt that `countAddress` has counted was good. */
  async uncountAddress(address: string): Promise<void> {
    await this.#counter.uncount('address', clientOf(address));
  }

  /** Counts a key or token from this address that was not valid. Valid ones are never counted or refused. @throws as `attempt` */
  async countCredential(address: string): Promise<void> {
    await this.#orRefuse('credential', clientOf(address));
  }

  /**
   * Counts a session, a password or a key that a principal makes. Each is a change of rights, which every gateway looks at; without a
   * limit one viewer could keep all of them busy. @throws as `attempt`
   */
  async countWrite({ id }: Pick<Principal, 'id'>): Promise<void> {
    await this.#orRefuse('write', id);
  }

  async #orRefuse(limit: Limit, key: string): Promise<void> {
    const waitMs = await this.#counter.count(limit, key);
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
  }
}

export class TooManyAttempts extends CodedError {
  readonly retryAfterSeconds: number;

  constructor(waitMs: number) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    super('too_many_attempts', `too many attempts; try again in ${seconds} s`);
    this.name = 'TooManyAttempts';
    this.retryAfterSeconds = seconds;
  }
}

/** People type passwords into the field of the name, so no name as it was typed becomes a key in Redis. */
function digest(name: string): string {
  return hash('sha256', name, 'base64url').slice(0, 22);
}

function pairOf(name: string, address: string): string {
  return `${digest(name)}:${clientOf(address)}`;
}
