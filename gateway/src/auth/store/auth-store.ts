// The contract of what is kept of people, roles, keys and sessions; one conformance suite tests every implementation. Secrets are
// kept as digests only. Each change of somebody's rights raises the revision in the same step, so that a gateway that compares revisions
// misses none, even if it has missed the message.

import type { Grants } from '../principal.ts';

export interface Role {
  /** `viewer`, `member` and `admin` are built in and cannot be changed. */
  name: string;
  grants: Grants;
}

export interface User {
  name: string;
  /** A PHC string, such as `$scrypt$ln=15,r=8,p=3$…`. */
  passwordHash: string;
  role: string;
  disabled: boolean;
  /** Epoch ms. */
  created: number;
}

export interface ApiKey {
  /** Eight letters and digits: the part of the key that may be shown. */
  id: string;
  /** SHA-256 of the whole key, 64 hexadecimal digits. */
  digest: string;
  name: string;
  /** The person to whom it belongs: it ends with him, and never allows more than he may. Undefined for a service account. */
  user?: string;
  grants: Grants;
  /** The pattern of the sources that its entries may name; undefined for any. */
  source?: string;
  created: number;
  /** Epoch ms. */
  expires: number;
  /** When it was last used, to the minute; 0 for never. */
  lastUsed: number;
}

export interface ProviderIdentity {
  name: string;
  owner: string;
  /** Names, and not what they allow: a role that loses a right loses it for these people, too. */
  roles: readonly string[];
  /** Epoch ms when the provider must be asked again: what it takes from somebody is not heard of otherwise. */
  until: number;
}

export interface Session {
  /** SHA-256 of the token, 64 hexadecimal digits. Its first 16 are what people are shown, and what ends it. */
  digest: string;
  user: string;
  /** What an identity provider says of the person, who has no record of his own then. */
  external?: ProviderIdentity;
  created: number;
  /** When it was last used, to the minute. */
  seen: number;
  /** Epoch ms after which it is over, however much it is used. */
  expires: number;
  /** From where it was begun. */
  address: string;
  /** The `User-Agent` of the browser that began it, at most 200 characters. */
  agent: string;
}

/**
 * Principals whose rights have changed: their ids, as in `Principal.id`, or `session:<first 16 digits>`. `*` if a role has changed,
 * because anybody may have it. A new key is `added:key:<id>`: it is not unknown any more, but its streams, if it has any already,
 * go on.
 */
export interface RightsChange {
  revision: number;
  principals: readonly string[];
}

export type UserChange = Partial<Pick<User, 'passwordHash' | 'role' | 'disabled'>>;

export interface Force {
  /** Makes the change also if it takes the last admin. */
  force?: boolean | undefined;
}

export interface UserChangeOptions extends Force {
  /**
   * With another password this session stays for at most `LEAVING_MS`: it is the one that has changed the password and gets the
   * answer. The first 16 digits of its digest.
   */
  leaving?: string;
  /** Changes nothing if the person has another password by now, which somebody else has set in the meantime. */
  ifPasswordHash?: string;
}

/**
 * All methods throw BrokerUnavailable while the store cannot be reached, which is never an answer `401`. Those that take `Force` throw
 * LastAdmin, and change nothing, where somebody may manage people before the change and nobody after it: two admins who take the right
 * from each other at the same moment do not both succeed.
 */
export interface AuthStore {
  /** Resolves with false if there is one of this name. */
  addUser(user: User): Promise<boolean>;
  user(name: string): Promise<User | undefined>;
  users(): Promise<User[]>;
  /**
   * Also ends the person's sessions if the password changes, or if he is disabled. False if nothing was changed, because there is
   * nobody of this name or because of `ifPasswordHash`.
   */
  changeUser(name: string, change: UserChange, options?: UserChangeOptions): Promise<boolean>;
  /** Also removes the person's keys and sessions. */
  deleteUser(name: string, options?: Force): Promise<boolean>;

  /** The roles that are not built in. */
  roles(): Promise<Role[]>;
  setRole(role: Role, options?: Force): Promise<void>;
  /** False if somebody has it, or if it does not exist. */
  deleteRole(name: string): Promise<boolean>;

  /** False if the person, or all service accounts together, have `MAX_KEYS` already; also if there is a key of this id. */
  addKey(key: ApiKey): Promise<boolean>;
  keyByDigest(digest: string): Promise<ApiKey | undefined>;
  keys(): Promise<ApiKey[]>;
  revokeKey(id: string): Promise<boolean>;
  /** Notes that the key was used, if the last note is older than a minute. */
  keyUsed(id: string, now: number): Promise<void>;

  /** Ends the person's oldest session if he has `MAX_SESSIONS` already. */
  addSession(session: Session): Promise<void>;
  /** Undefined also for one that is over: by its age, or unused for longer than `SESSION_IDLE_MS`. */
  sessionByDigest(digest: string, now: number): Promise<Session | undefined>;
  /** Notes that the session was used, if the last note is older than a minute. */
  sessionUsed(digest: string, now: number): Promise<void>;
  /** The person's session of this id: the first 16 digits of the digest. Undefined as `sessionByDigest`. */
  sessionOf(user: string, id: string): Promise<Session | undefined>;
  /** Those that are not over, the newest first. */
  sessionsOf(user: string): Promise<Session[]>;
  /** @param id the first 16 digits of the digest. */
  endSession(user: string, id: string): Promise<boolean>;
  /** Ends all sessions of a person, but not the one named by `except`. Resolves with their number. */
  endSessions(user: string, except?: string): Promise<number>;

  /** Grows with every change of anybody's rights. */
  revision(): Promise<number>;
  /** What has changed after `revision`; `*` if that is not known any more, or if the store went back. */
  changesSince(revision: number): Promise<RightsChange>;
  /** Called soon after a change, by whichever process. A call may be lost; `revision` tells. Returns what ends it. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

export const SESSION_IDLE_MS = 12 * 3_600_000;
export const SESSION_MAX_MS = 30 * 86_400_000;
/** Longer than an answer takes on its way. */
export const LEAVING_MS = 30_000;
/** Keys of one person, and keys of all service accounts together. */
export const MAX_KEYS = 500;
/** Sessions of one person. */
export const MAX_SESSIONS = 100;
/** How long ago the last use must be to be noted anew. */
export const NOTE_MS = 60_000;
/** After more changes than this, a gateway that has seen none of them hears `*`. */
export const MAX_CHANGES = 500;

/** What names a session to people, and ends it; it is no secret. */
export function sessionId({ digest }: Pick<Session, 'digest'>): string {
  return digest.slice(0, 16);
}

export function isOver({ expires, seen }: Session, now: number): boolean {
  return now >= expires || now - seen > SESSION_IDLE_MS;
}
