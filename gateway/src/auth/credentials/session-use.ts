// Notes that the sessions of open streams are in use, so that a page that is left open does not sign itself out. It is only a note:
// whoever reads for twelve hours while it cannot be written signs in again.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { PrincipalStreams } from '../rights/rights-watch.ts';
import type { AuthStore } from '../store/auth-store.ts';

const EVERY_MS = 3_600_000;

export class SessionUse {
  readonly #store: AuthStore;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: AuthStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  open(streams: readonly PrincipalStreams[]): void {
    this.#timer = setInterval(
      () =>
        this.#note(streams).catch((error) => this.#logger.debug({ err: error }, 'no use of sessions noted')),
      EVERY_MS,
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #note(streams: readonly PrincipalStreams[]): Promise<void> {
    const owners = new Map<string, string>();
    for (const one of streams)
      for (const { owner, session } of one.principals())
        if (session !== undefined) owners.set(session, owner);
    for (const [id, owner] of owners) {
      const session = await this.#store.sessionOf(owner, id);
      if (session !== undefined) await this.#store.sessionUsed(session.digest, Date.now());
    }
  }
}
