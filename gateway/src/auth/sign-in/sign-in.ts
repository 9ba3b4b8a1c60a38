// Signs people in with name and password, and changes passwords. Whoever is refused learns nothing by the answer or by how long it
// takes: an unknown name, a wrong password, a disabled person and a lost role are the same to him.

import { setTimeout as pause } from 'node:timers/promises';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { principalOfUser } from '../credentials/person.ts';
import type { Sessions } from '../credentials/sessions.ts';
import { isUserName } from '../names.ts';
import type { Principal } from '../principal.ts';
import { type AuthStore, LEAVING_MS, type Session, sessionId } from '../store/auth-store.ts';
import type { Throttle } from '../throttle.ts';
import type { Passwords } from './passwords.ts';

const RETRY_MS = 1_000;

/** From where somebody comes. */
export interface Visitor {
  address: string;
  /** The `User-Agent` of his browser. */
  agent: string;
}

/** A person's session, named by the first 16 digits of its digest. */
export interface PersonSession {
  user: string;
  session: string;
}

export interface SignedIn {
  token: string;
  session: Session;
  principal: Principal;
}

/** The name that was tried, if somebody has it: people type passwords into the field of the name. */
export class LoginFailed extends CodedError {
  readonly person: string | undefined;

  constructor(person: string | undefined) {
    super('login_failed', 'the name or the password is wrong');
    this.name = 'LoginFailed';
    this.person = person;
  }
}

export interface SignInOptions {
  store: AuthStore;
  sessions: Sessions;
  passwords: Pick<Passwords, 'hash' | 'verify'>;
  throttle: Throttle;
  logger: Logger;
}

export class SignIn {
  readonly #options: SignInOptions;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  /** @throws LoginFailed; CodedError `too_many_attempts`; BrokerUnavailable */
  async login(name: string, password: string, visitor: Visitor): Promise<SignedIn> {
    const passwordHash = await this.#prove(name, password, visitor);
    return this.begin(name, passwordHash, visitor);
  }

  /**
   * Ends all sessions of the person but the one that asks, and begins a new one. The caller lets that one `leave` when the new one has
   * been sent: the page would take an earlier end for the end of everything, and be blank.
   *
   * @throws as `login`
   */
  async changePassword(
    asking: PersonSession,
    old: string,
    password: string,
    visitor: Visitor,
  ): Promise<SignedIn> {
    const { store, passwords } = this.#options;
    const { user: name, session: leaving } = asking;
    const ifPasswordHash = await this.#prove(name, old, visitor);
    const passwordHash = await passwords.hash(password, visitor.address);
    // An admin may have set a password while these were hashed, because somebody else knows the old one.
    if (!(await store.changeUser(name, { passwordHash }, { leaving, ifPasswordHash })))
      throw new LoginFailed(undefined);
    try {
      return await this.begin(name, passwordHash, visitor);
    } catch (error) {
      this.leave(asking);
      throw error;
    }
  }

  /**
   * A session of somebody whose password has this hash. If the password was changed in the meantime, which ended all sessions of
   * the person, this one must not outlive that.
   *
   * @throws LoginFailed; BrokerUnavailable
   */
  async begin(name: string, passwordHash: string, visitor: Visitor): Promise<SignedIn> {
    const { store, sessions } = this.#options;
    const person = await principalOfUser(store, name);
    if (person === undefined) throw new LoginFailed(name);
    const { token, session } = await sessions.begin({ user: name, ...visitor });
    const now = await store.user(name);
    if (now === undefined || now.disabled || now.passwordHash !== passwordHash) {
      await store.endSession(name, sessionId(session));
      throw new LoginFailed(name);
    }
    return {
      token,
      session,
      principal: { ...person, expires: session.expires, session: sessionId(session) },
    };
  }

  /** Ends the session that has changed the password, and never throws: while the store is away it is tried again and again. */
  leave({ user, session }: PersonSession): void {
    const { store, logger } = this.#options;
    const until = performance.now() + LEAVING_MS;
    const end = async (): Promise<unknown> => {
      try {
        return await store.endSession(user, session);
      } catch (error) {
        if (!(error instanceof BrokerUnavailable) || performance.now() > until) throw error;
        await pause(RETRY_MS, undefined, { ref: false });
        return end();
      }
    };
    end().catch((error) => logger.error({ err: error }, 'streams of a session with an old password go on'));
  }

  /** Resolves with the hash of the password. */
  async #prove(name: string, password: string, { address }: Visitor): Promise<string> {
    const { store, passwords, throttle } = this.#options;
    await throttle.attempt(name, address);
    const user = isUserName(name) ? await store.user(name) : undefined;
    const isRight = await passwords.verify(password, user?.passwordHash, address);
    // After the hash, so that it takes as long as a wrong password.
    if (user === undefined || !isRight || (await principalOfUser(store, name)) === undefined)
      throw new LoginFailed(user?.name);
    await throttle.succeeded(name, address);
    return user.passwordHash;
  }
}
