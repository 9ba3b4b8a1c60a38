// Signs people in with name and password, and changes passwords. Whoever is refused learns nothing by the answer or by how long it
// takes: an unknown name, a wrong password, a disabled person and a lost role are the same to him.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { isUserName } from './names.ts';
import type { Passwords } from './passwords.ts';
import { principalOfUser } from './person.ts';
import type { Principal } from './principal.ts';
import type { Sessions } from './sessions.ts';
import { type AuthStore, type Session, sessionId } from './store/auth-store.ts';
import type { Throttle } from './throttle.ts';

/** From where somebody comes. */
export interface Visitor {
  address: string;
  /** The `User-Agent` of his browser. */
  agent: string;
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
   * Ends all sessions of the person, and begins a new one.
   *
   * @throws as `login`
   */
  async changePassword(name: string, old: string, password: string, visitor: Visitor): Promise<SignedIn> {
    const { store, passwords } = this.#options;
    await this.#prove(name, old, visitor);
    const passwordHash = await passwords.hash(password);
    if (!(await store.changeUser(name, { passwordHash }))) throw new LoginFailed(undefined);
    return this.begin(name, passwordHash, visitor);
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

  /** Resolves with the hash of the password. */
  async #prove(name: string, password: string, { address }: Visitor): Promise<string> {
    const { store, passwords, throttle } = this.#options;
    await throttle.attempt(name, address);
    const user = isUserName(name) ? await store.user(name) : undefined;
    const isRight = await passwords.verify(password, user?.passwordHash);
    // After the hash, so that it takes as long as a wrong password.
    if (user === undefined || !isRight || (await principalOfUser(store, name)) === undefined)
      throw new LoginFailed(user?.name);
    await throttle.succeeded(name, address);
    return user.passwordHash;
  }
}
