// All that is kept of people, roles, keys and sessions as one value, its form as text, and whose rights differ between two of them.
// Names are keys of Maps, so that a person who is called `__proto__` is a person like others.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { type ApiKey, isOver, type Role, type Session, sessionId, type User } from './auth-store.ts';

export interface AuthRecords {
  users: Map<string, User>;
  roles: Map<string, Role>;
  /** By the id of the key. */
  keys: Map<string, ApiKey>;
  /** By the digest of the token. */
  sessions: Map<string, Session>;
}

const text = z.string().max(1_000);
const time = z.number().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const grants = z.strictObject({
  read: z.array(text).max(1_000),
  publish: z.array(text).max(1_000),
  run: z.boolean(),
  metrics: z.boolean(),
  admin: z.boolean(),
});
const user = z.strictObject({
  name: text,
  passwordHash: text,
  role: text,
  disabled: z.boolean(),
  created: time,
});
const role = z.strictObject({ name: text, grants });
const key = z.strictObject({
  id: text,
  digest,
  name: text,
  user: text.optional(),
  grants,
  source: text.optional(),
  created: time,
  expires: time,
  lastUsed: time,
});
const session = z.strictObject({
  digest,
  user: text,
  external: z
    .strictObject({ name: text, owner: text, roles: z.array(text).max(1_000), until: time })
    .optional(),
  created: time,
  seen: time,
  expires: time,
  address: text,
  agent: text,
});
const file = z.strictObject({
  version: z.literal(1),
  users: z.array(user),
  roles: z.array(role),
  keys: z.array(key),
  sessions: z.array(session),
});

const storedRole = role as z.ZodType<Role>;
const storedUser = user as z.ZodType<User>;
const storedKey = key as z.ZodType<ApiKey>;
const storedSession = session as z.ZodType<Session>;

/** The records one by one, for a store that keeps them apart. Undefined for a text that is none, such as another program's. */
export const readRecord = {
  role: (json: unknown) => recordOf(storedRole, json),
  user: (json: unknown) => recordOf(storedUser, json),
  key: (json: unknown) => recordOf(storedKey, json),
  session: (json: unknown) => recordOf(storedSession, json),
};

function recordOf<T>(schema: z.ZodType<T>, json: unknown): T | undefined {
  return schema.safeParse(json).data;
}

export function noRecords(): AuthRecords {
  return { users: new Map(), roles: new Map(), keys: new Map(), sessions: new Map() };
}

/** @throws CodedError `invalid_config` that names the place, but quotes nothing. */
export function parseRecords(content: string): AuthRecords {
  const result = file.safeParse(parseJson(content));
  if (!result.success) {
    const [issue] = result.error.issues as [z.core.$ZodIssue];
    const where = issue.path.length > 0 ? z.core.toDotPath(issue.path) : 'the file';
    throw new CodedError('invalid_config', `${where}: ${issue.message}`);
  }
  const { users, roles, keys, sessions } = result.data as {
    users: User[];
    roles: Role[];
    keys: ApiKey[];
    sessions: Session[];
  };
  return {
    users: new Map(users.map((user) => [user.name, user])),
    roles: new Map(roles.map((role) => [role.name, role])),
    keys: new Map(keys.map((key) => [key.id, key])),
    sessions: new Map(sessions.map((session) => [session.digest, session])),
  };
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    // The parser's own message quotes the file, which holds hashes.
    throw new CodedError('invalid_config', content.trim() === '' ? 'the file is empty' : 'not JSON');
  }
}

export function formatRecords({ users, roles, keys, sessions }: AuthRecords): string {
  const lists = {
    version: 1,
    users: [...users.values()],
    roles: [...roles.values()],
    keys: [...keys.values()],
    sessions: [...sessions.values()],
  };
  return `${JSON.stringify(lists, null, 1)}\n`;
}

/** A copy that may be changed. The single records are never changed, only replaced. */
export function copyRecords({ users, roles, keys, sessions }: AuthRecords): AuthRecords {
  return {
    users: new Map(users),
    roles: new Map(roles),
    keys: new Map(keys),
    sessions: new Map(sessions),
  };
}

export function removeOverSessions({ sessions }: AuthRecords, now: number): void {
  for (const [digest, session] of sessions) if (isOver(session, now)) sessions.delete(digest);
}

/**
 * The ids of the principals whose rights are not the same in `after`, however the change was made. A person's new password or new
 * key is none, but the end of a session is. `*` if a role has changed, because anybody may have it.
 */
export function changedPrincipals(before: AuthRecords, after: AuthRecords): string[] {
  if (differing(before.roles, after.roles).length > 0) return ['*'];
  const people = new Set(differing(rightsOf(before.users), rightsOf(after.users)));
  const keys = new Set(differing(keyRights(before.keys), keyRights(after.keys)));
  for (const { id, user } of after.keys.values()) if (user !== undefined && people.has(user)) keys.add(id);
  const ended = [...before.sessions.values()].filter(({ digest }) => !after.sessions.has(digest));
  return [
    ...[...people].map((name) => `user:${name}`),
    ...[...keys].map((id) => (before.keys.has(id) ? `key:${id}` : `added:key:${id}`)),
    ...ended.map((session) => `session:${sessionId(session)}`),
  ];
}

/** Names of what is in one of both only, or is not the same in both. */
function differing(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter(
    (name) =>
      before.get(name) !== after.get(name) &&
      JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)),
  );
}

function rightsOf(users: ReadonlyMap<string, User>): Map<string, unknown> {
  return new Map([...users].map(([name, { role, disabled }]) => [name, [role, disabled]]));
}

/** A use of a key is no change of it. */
function keyRights(keys: ReadonlyMap<string, ApiKey>): Map<string, unknown> {
  return new Map([...keys].map(([id, { lastUsed, ...rest }]) => [id, rest]));
}
