// How somebody can sign in here, for those who have not. Strangers ask this, so that the store is asked seldom.

import type { SignInWays } from '@llm-streamer/shared/api-types.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { AuthStore } from '../store/auth-store.ts';

/** How long it is known that nobody was added yet. */
const EMPTY_MS = 2_000;

export interface SignInOfferOptions {
  store: Pick<AuthStore, 'users'>;
  /** The role of those who sign up; undefined if nobody may. */
  signUpRole: string | undefined;
  /** The name of the identity provider; undefined if there is none. */
  oidcName: string | undefined;
}

export class SignInOffer {
  readonly #options: SignInOfferOptions;
  #isEmpty = true;
  #known = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: SignInOfferOptions) {
    this.#options = options;
  }

  async now(): Promise<SignInWays> {
    const { oidcName, signUpRole } = this.#options;
    if (this.#isEmpty && performance.now() - this.#known > EMPTY_MS) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    return {
      ...(oidcName !== undefined && { oidc: oidcName }),
      ...(this.#isEmpty && Number.isFinite(this.#known) && { empty: true }),
      ...(signUpRole !== undefined && { signup: true }),
    };
  }

  async #ask(): Promise<void> {
    try {
      this.#isEmpty = (await this.#options.store.users()).length === 0;
      this.#known = performance.now();
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error;
    }
  }
}
