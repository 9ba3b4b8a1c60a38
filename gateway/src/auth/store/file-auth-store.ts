// People, roles, keys and sessions in one file, for the embedded log; in memory alone where there is no path. Whatever changes the
// file (this process, the command line, an editor), the difference tells whose rights have changed. A broken edit is reported, and
// the last good content stays in use.

import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import {
  type AuthContent,
  changedPrincipals,
  copyContent,
  emptyContent,
  formatContent,
  parseContent,
  removeOverSessions,
} from './auth-content.ts';
import { AuthFile } from './auth-file.ts';
import {
  type ApiKey,
  type AuthStore,
  type Force,
  isOver,
  LEAVING_MS,
  MAX_CHANGES,
  MAX_KEYS,
  MAX_SESSIONS,
  NOTE_MS,
  type RightsChange,
  type Role,
  type Session,
  sessionId,
  type User,
  type UserChange,
  type UserChangeOptions,
} from './auth-store.ts';
import { hasAdmin, LastAdmin } from './last-admin.ts';

export interface FileAuthStoreOptions {
  /** Undefined keeps all in memory. */
  path?: string | undefined;
  /** Called with the reason when the file is not valid; the last good content stays in use. */
  onBroken?: (reason: string) => void;
  /** Milliseconds between looks at the file while somebody listens for changes (1000). */
  pollMs?: number;
}

export class FileAuthStore implements AuthStore {
  readonly #file: AuthFile | undefined;
  readonly #onBroken: (reason: string) => void;
  readonly #pollMs: number;
  #content = emptyContent();
  /** Why the file cannot be used now; undefined if it can. */
  #broken: string | undefined;
  /** Revisions are known to this process alone. They begin at the time, so that none is that of an earlier process. */
  #changes: RightsChange[] = [{ revision: Date.now() * 1_000, principals: [] }];
  readonly #listeners = new Set<() => void>();
  #onEdited: (principals: readonly string[]) => void = () => {};
  #poll: NodeJS.Timeout | undefined;
  /** Changes come one after the other. Nobody who reads waits for one, because another process may have the file locked. */
  #lastChange: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> = Promise.resolve();

  private constructor({ path, onBroken = () => {}, pollMs = 1_000 }: FileAuthStoreOptions) {
    this.#file = path === undefined ? undefined : new AuthFile(path);
    this.#onBroken = onBroken;
    this.#pollMs = pollMs;
  }

  /** @throws CodedError `invalid_config` if the file is not valid, or if others may read it; none is an empty store */
  static async open(options: FileAuthStoreOptions = {}): Promise<FileAuthStore> {
    const store = new FileAuthStore(options);
    try {
      await store.#file?.checkFolder();
      const content = await store.#file?.changedContent();
      if (content) store.#content = parseContent(content);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      throw new CodedError('invalid_config', `AUTH_FILE ${options.path}: ${error.message}`);
    }
    return store;
  }

  /** One that is kept nowhere. */
  static inMemory(): FileAuthStore {
    return new FileAuthStore({});
  }

  addUser(user: User): Promise<boolean> {
    return this.#change(({ users }) => {
      if (users.has(user.name)) return false;
      users.set(user.name, user);
      return true;
    });
  }

  user(name: string): Promise<User | undefined> {
    return this.#read(({ users }) => users.get(name));
  }

  users(): Promise<User[]> {
    return this.#read(({ users }) => [...users.values()]);
  }

  changeUser(name: string, change: UserChange, options: UserChangeOptions = {}): Promise<boolean> {
    const { leaving, ifPasswordHash, force } = options;
    return this.#keepingAdmin(force, (content) => {
      const user = content.users.get(name);
      if (user === undefined) return false;
      if (ifPasswordHash !== undefined && user.passwordHash !== ifPasswordHash) return false;
      const changed = { ...user, ...change };
      content.users.set(name, changed);
      if (changed.disabled) endSessionsOf(content, name);
      else if (changed.passwordHash !== user.passwordHash) {
        endSessionsOf(content, name, (session) => sessionId(session) !== leaving);
        shortenSessionsOf(content, name, Date.now() + LEAVING_MS);
      }
      return true;
    });
  }

  deleteUser(name: string, { force }: Force = {}): Promise<boolean> {
    return this.#keepingAdmin(force, (content) => {
      for (const { id, user } of content.keys.values()) if (user === name) content.keys.delete(id);
      endSessionsOf(content, name);
      return content.users.delete(name);
    });
  }

  roles(): Promise<Role[]> {
    return this.#read(({ roles }) => [...roles.values()]);
  }

  setRole(role: Role, { force }: Force = {}): Promise<void> {
    return this.#keepingAdmin(force, ({ roles }) => void roles.set(role.name, role));
  }

  deleteRole(name: string): Promise<boolean> {
    return this.#change(({ users, roles }) => {
      if ([...users.values()].some(({ role }) => role === name)) return false;
      return roles.delete(name);
    });
  }

  addKey(key: ApiKey): Promise<boolean> {
    return this.#change(({ keys }) => {
      const siblings = [...keys.values()].filter(({ user }) => user === key.user);
      if (siblings.length >= MAX_KEYS || keys.has(key.id)) return false;
      keys.set(key.id, key);
      return true;
    });
  }

  keyByDigest(digest: string): Promise<ApiKey | undefined> {
    return this.#read(({ keys }) => [...keys.values()].find((key) => key.digest === digest));
  }

  keys(): Promise<ApiKey[]> {
    return this.#read(({ keys }) => [...keys.values()]);
  }

  revokeKey(id: string): Promise<boolean> {
    return this.#change(({ keys }) => keys.delete(id));
  }

  async keyUsed(id: string, now: number): Promise<void> {
    const isDue = ({ keys }: AuthContent) => now - (keys.get(id)?.lastUsed ?? now) >= NOTE_MS;
    if (!(await this.#read(isDue))) return;
    await this.#change((content) => {
      const key = content.keys.get(id);
      if (key !== undefined) content.keys.set(id, { ...key, lastUsed: now });
    });
  }

  addSession(session: Session): Promise<void> {
    return this.#change(({ sessions }) => {
      const others = newestFirst([...sessions.values()].filter(({ user }) => user === session.user));
      for (const { digest } of others.slice(MAX_SESSIONS - 1)) sessions.delete(digest);
      sessions.set(session.digest, session);
    });
  }

  sessionByDigest(digest: string, now: number): Promise<Session | undefined> {
    return this.#read(({ sessions }) => {
      const session = sessions.get(digest);
      return session === undefined || isOver(session, now) ? undefined : session;
    });
  }

  async sessionUsed(digest: string, now: number): Promise<void> {
    const isDue = ({ sessions }: AuthContent) => now - (sessions.get(digest)?.seen ?? now) >= NOTE_MS;
    if (!(await this.#read(isDue))) return;
    await this.#change((content) => {
      const session = content.sessions.get(digest);
      if (session !== undefined) content.sessions.set(digest, { ...session, seen: now });
    });
  }

  sessionOf(user: string, id: string): Promise<Session | undefined> {
    return this.#read(({ sessions }) =>
      [...sessions.values()].find(
        (session) => session.user === user && sessionId(session) === id && !isOver(session, Date.now()),
      ),
    );
  }

  sessionsOf(user: string): Promise<Session[]> {
    return this.#read(({ sessions }) =>
      newestFirst(
        [...sessions.values()].filter((session) => session.user === user && !isOver(session, Date.now())),
      ),
    );
  }

  endSession(user: string, id: string): Promise<boolean> {
    return this.#change(
      (content) => endSessionsOf(content, user, (session) => sessionId(session) === id) > 0,
    );
  }

  endSessions(user: string, except?: string): Promise<number> {
    return this.#change((content) =>
      endSessionsOf(content, user, (session) => sessionId(session) !== except),
    );
  }

  revision(): Promise<number> {
    return this.#read(() => this.#revision);
  }

  changesSince(revision: number): Promise<RightsChange> {
    return this.#read(() => {
      const at = this.#changes.findLastIndex((change) => change.revision === revision);
      const later = this.#changes.slice(at + 1).flatMap(({ principals }) => principals);
      return { revision: this.#revision, principals: at < 0 ? ['*'] : [...new Set(later)] };
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#file !== undefined)
      this.#poll ??= setInterval(
        () => this.#read(() => undefined).catch(() => undefined),
        this.#pollMs,
      ).unref();
    return () => this.#listeners.delete(listener);
  }

  /** `heard` gets whose rights were changed in the file by others than this process, such as the command line or an editor. */
  onEdited(heard: (principals: readonly string[]) => void): void {
    this.#onEdited = heard;
  }

  async close(): Promise<void> {
    clearInterval(this.#poll);
    this.#listeners.clear();
    await this.#lastChange;
  }

  get #revision(): number {
    return this.#changes.at(-1)?.revision as number;
  }

  async #read<T>(answer: (content: AuthContent) => T): Promise<T> {
    await this.#refresh();
    return answer(this.#content);
  }

  #keepingAdmin<T>(force: boolean | undefined, change: (content: AuthContent) => T): Promise<T> {
    return this.#change((content) => {
      const had = hasAdmin(content);
      const result = change(content);
      if (!force && had && !hasAdmin(content)) throw new LastAdmin();
      return result;
    });
  }

  #change<T>(change: (content: AuthContent) => T): Promise<T> {
    const step = async () => {
      await this.#refresh();
      // An edit that is not valid yet would be lost with the next change.
      if (this.#broken !== undefined) throw new BrokerUnavailable(`AUTH_FILE ${this.#broken}`);
      const changed = copyContent(this.#content);
      removeOverSessions(changed, Date.now());
      const result = change(changed);
      const content = formatContent(changed);
      if (content === formatContent(this.#content)) return result;
      await this.#file?.write(content);
      // What was just written has not to be read again; a stamp is taken of it all the same.
      await this.#file?.changedContent();
      this.#take(changed);
      return result;
    };
    const changed = this.#lastChange.then(() => this.#file?.exclusively(step) ?? step());
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  /** Whoever asks while the file is read gets what is read after that: it may have changed in between. */
  #refresh(): Promise<void> {
    this.#refreshing = this.#refreshing.catch(() => undefined).then(() => this.#readFile());
    return this.#refreshing;
  }

  async #readFile(): Promise<void> {
    try {
      const content = await this.#file?.changedContent();
      if (content === undefined) return;
      if (content === '') throw new CodedError('invalid_config', 'is not there any more, or empty');
      const before = this.#content;
      const changed = this.#take(parseContent(content));
      // Whoever changes the file also removes sessions that are over, which takes nothing from anybody.
      const over = [...before.sessions.values()].filter((session) => isOver(session, Date.now()));
      const ended = new Set(over.map((session) => `session:${sessionId(session)}`));
      const edited = changed.filter((principal) => !ended.has(principal));
      if (edited.length > 0) this.#onEdited(edited);
      this.#broken = undefined;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (error.message !== this.#broken) this.#onBroken(error.message);
      this.#broken = error.message;
    }
  }

  #take(content: AuthContent): readonly string[] {
    const principals = changedPrincipals(this.#content, content);
    this.#content = content;
    if (principals.length === 0) return principals;
    this.#changes.push({ revision: Math.max(this.#revision + 1, Date.now() * 1_000), principals });
    this.#changes.splice(0, this.#changes.length - MAX_CHANGES);
    for (const listener of this.#listeners) listener();
    return principals;
  }
}

/** Returns how many. */
function endSessionsOf(
  { sessions }: AuthContent,
  user: string,
  which: (session: Session) => boolean = () => true,
): number {
  const ended = [...sessions.values()].filter((session) => session.user === user && which(session));
  for (const { digest } of ended) sessions.delete(digest);
  return ended.length;
}

function shortenSessionsOf({ sessions }: AuthContent, user: string, ends: number): void {
  for (const [digest, session] of sessions)
    if (session.user === user) sessions.set(digest, { ...session, expires: Math.min(session.expires, ends) });
}

function newestFirst(sessions: Session[]): Session[] {
  return sessions.sort((a, b) => b.created - a.created);
}
