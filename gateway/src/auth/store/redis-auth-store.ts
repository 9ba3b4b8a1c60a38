// People, roles, keys and sessions in Redis, in the same hash slot as the log, for all gateways of a namespace. Each change is one
// script. If Redis comes back with an older state, all sessions end, because some of them may have been ended already.

import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { codeOf } from '@llm-streamer/shared/broker/redis/errors.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { readItem } from './auth-content.ts';
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
  SESSION_IDLE_MS,
  type Session,
  type User,
  type UserChange,
  type UserChangeOptions,
} from './auth-store.ts';
import { ADMIN_ROLE, LastAdmin } from './last-admin.ts';

// With allow-oom: somebody's rights must be taken away also where the memory is full, and all that is kept here is bounded.
const SCRIPT = `#!lua flags=allow-oom\n${readFileSync(new URL('./lua/auth.lua', import.meta.url), 'utf8')}`;
const SHA = hash('sha1', SCRIPT, 'hex');
const CONSTANTS = [MAX_CHANGES, MAX_KEYS, MAX_SESSIONS, SESSION_IDLE_MS, NOTE_MS, ADMIN_ROLE];
/** The answer of a step that would take the last admin, and has changed nothing. */
const TAKES_LAST_ADMIN = -1;

/** A record as JSON, and the time of its last use. */
type Used = [json: string, ms: string];

export class RedisAuthStore implements AuthStore {
  readonly #connect: (label: string) => RedisClient;
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #listeners = new Set<() => void>();
  #subscriber: RedisClient | undefined;
  /** The highest revision that this process has seen. */
  #seen = 0;

  /** The store closes what `connect` makes. */
  constructor(connect: (label: string) => RedisClient, namespace: string) {
    this.#connect = connect;
    this.#client = connect('auth');
    this.#keys = new RedisKeys(namespace);
  }

  /** For a process that does nothing else with this Redis. */
  static at(url: string, namespace: string, logger?: Logger): RedisAuthStore {
    return new RedisAuthStore((label) => new RedisClient({ url, namespace }, label, logger), namespace);
  }

  async addUser(user: User): Promise<boolean> {
    return (await this.#step('add_user', user.name, JSON.stringify(user))) === 1;
  }

  async user(name: string): Promise<User | undefined> {
    return this.#query(async ({ redis }) => readItem.user(parse(await redis.hget(this.#in('users'), name))));
  }

  async users(): Promise<User[]> {
    return this.#query(async ({ redis }) =>
      (await redis.hvals(this.#in('users'))).flatMap((json) => readItem.user(parse(json)) ?? []),
    );
  }

  async changeUser(name: string, change: UserChange, options: UserChangeOptions = {}): Promise<boolean> {
    const { leaving = '', ifPasswordHash = '', force } = options;
    const leaves = [leaving, Date.now() + LEAVING_MS];
    return this.#keepingAdmin(force, 'change_user', name, JSON.stringify(change), ...leaves, ifPasswordHash);
  }

  deleteUser(name: string, { force }: Force = {}): Promise<boolean> {
    return this.#keepingAdmin(force, 'delete_user', name);
  }

  async roles(): Promise<Role[]> {
    return this.#query(async ({ redis }) =>
      (await redis.hvals(this.#in('roles'))).flatMap((json) => readItem.role(parse(json)) ?? []),
    );
  }

  async setRole(role: Role, { force }: Force = {}): Promise<void> {
    await this.#keepingAdmin(force, 'set_role', role.name, JSON.stringify(role));
  }

  async deleteRole(name: string): Promise<boolean> {
    return (await this.#step('delete_role', name)) === 1;
  }

  async addKey({ lastUsed, ...key }: ApiKey): Promise<boolean> {
    const { id, digest, user = '' } = key;
    return (await this.#step('add_key', id, digest, user, lastUsed, JSON.stringify(key))) === 1;
  }

  async keyByDigest(digest: string): Promise<ApiKey | undefined> {
    const found = (await this.#step('key_by_digest', digest)) as Used | null;
    return found === null ? undefined : keyOf(found);
  }

  async keys(): Promise<ApiKey[]> {
    return this.#query(async ({ redis }) => {
      const [keys, uses] = await Promise.all([
        redis.hgetall(this.#in('keys')),
        redis.hgetall(this.#in('key-uses')),
      ]);
      return Object.entries(keys).flatMap(([id, json]) => keyOf([json, uses[id] ?? '0']) ?? []);
    });
  }

  async revokeKey(id: string): Promise<boolean> {
    return (await this.#step('revoke_key', id)) === 1;
  }

  async keyUsed(id: string, now: number): Promise<void> {
    await this.#step('key_used', id, now);
  }

  async addSession({ seen, ...session }: Session): Promise<void> {
    const { digest, user, created, expires } = session;
    await this.#step('add_session', digest, user, created, seen, expires, JSON.stringify(session));
  }

  async sessionByDigest(digest: string, now: number): Promise<Session | undefined> {
    const found = (await this.#step('session', digest)) as Used | null;
    const session = found === null ? undefined : sessionOf(found);
    return session === undefined || isOver(session, now) ? undefined : session;
  }

  async sessionUsed(digest: string, now: number): Promise<void> {
    await this.#step('session_used', digest, now);
  }

  async sessionOf(user: string, id: string): Promise<Session | undefined> {
    const found = (await this.#step('session_of', user, id)) as Used | null;
    const session = found === null ? undefined : sessionOf(found);
    return session === undefined || isOver(session, Date.now()) ? undefined : session;
  }

  async sessionsOf(user: string): Promise<Session[]> {
    const found = (await this.#step('sessions_of', user)) as Used[];
    return found.flatMap((used) => sessionOf(used) ?? []).filter((session) => !isOver(session, Date.now()));
  }

  async endSession(user: string, id: string): Promise<boolean> {
    return (await this.#step('end_session', user, id)) === 1;
  }

  async endSessions(user: string, except = ''): Promise<number> {
    return (await this.#step('end_sessions', user, except)) as number;
  }

  async revision(): Promise<number> {
    return (await this.#run('revision')).revision;
  }

  async changesSince(revision: number): Promise<RightsChange> {
    const { revision: now, answer } = await this.#run('changes_since', revision);
    return { revision: now, principals: [...new Set(answer as string[])] };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#subscriber ??= this.#subscribe();
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#subscriber?.close();
    this.#client.close();
  }

  #subscribe(): RedisClient {
    const client = this.#connect('auth-changes');
    const announce = () => {
      for (const listener of this.#listeners) listener();
    };
    client.redis.on('message', announce);
    client.redis.on('identified', () => {
      // Announcements may have been missed before the subscription began.
      client.redis
        .subscribe(this.#keys.authChanged)
        .then(announce)
        .catch((error) => client.reconnect(error));
    });
    client.arrival().catch(() => undefined);
    return client;
  }

  #in(part: string): string {
    return `${this.#keys.auth}:${part}`;
  }

  /** Whether the step has changed anything. @throws LastAdmin */
  async #keepingAdmin(
    force: boolean | undefined,
    step: string,
    ...args: (string | number)[]
  ): Promise<boolean> {
    const answer = await this.#step(step, force ? 1 : 0, ...args);
    if (answer === TAKES_LAST_ADMIN) throw new LastAdmin();
    return answer === 1;
  }

  async #step(step: string, ...args: (string | number)[]): Promise<unknown> {
    return (await this.#run(step, ...args)).answer;
  }

  async #run(step: string, ...args: (string | number)[]): Promise<{ revision: number; answer: unknown }> {
    return this.#query(async ({ redis }) => {
      const argv = [this.#keys.auth, this.#keys.authChanged, this.#seen, ...CONSTANTS, step, ...args];
      const run = redis.evalsha(SHA, 1, this.#keys.prefix, ...argv).catch((error: unknown) => {
        if (codeOf(error) !== 'NOSCRIPT') throw error;
        return redis.eval(SCRIPT, 1, this.#keys.prefix, ...argv);
      });
      const [revision, answer] = (await run) as [string, unknown];
      this.#seen = Math.max(this.#seen, Number(revision));
      return { revision: Number(revision), answer };
    });
  }

  async #query<T>(ask: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      await this.#client.runId(); // connects, if the client has not connected yet
      return await ask(this.#client);
    } catch (error) {
      throw this.#client.unavailable(this.#client.reportRefusal(error));
    }
  }
}

function keyOf([json, lastUsed]: Used): ApiKey | undefined {
  return readItem.key({ ...parse(json), lastUsed: Number(lastUsed) });
}

function sessionOf([json, seen]: Used): Session | undefined {
  return readItem.session({ ...parse(json), seen: Number(seen) });
}

/** Undefined for what another program has written there. */
function parse(json: string | null): object | undefined {
  try {
    const value: unknown = JSON.parse(json ?? '');
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
