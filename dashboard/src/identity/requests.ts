// What the page asks of the gateway about people, sessions, roles and keys. A failure rejects with a sentence for the reader.
import type {
  GrantsInfo,
  KeysAnswer,
  NewKey,
  Problem,
  Profile,
  SessionsAnswer,
  UsersAnswer,
} from '@llm-streamer/shared/api-types.ts';

/** The page's own words for codes whose sentence in the problem is for programs. */
const SENTENCES: Record<string, string> = {
  unreachable: 'the gateway cannot be reached',
  login_failed: 'name or password is wrong',
  unauthorized: 'you are signed out',
  forbidden: 'you may not do that',
  csrf: 'the gateway does not take this page for its own: open it at its own address',
};

export class Failure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Credentials {
  name: string;
  password: string;
}

export const login = (who: Credentials) => ask<Profile>('POST', 'auth/login', who);
export const signUp = (who: Credentials) => ask<Profile>('POST', 'auth/signup', who);
export const logout = () => ask<unknown>('POST', 'auth/logout');
export const changePassword = (body: { old: string; password: string }) =>
  ask<Profile>('POST', 'auth/password', body);

export const sessions = async () => (await ask<SessionsAnswer>('GET', 'auth/sessions')).sessions;
export const endSession = (id: string) => ask<unknown>('DELETE', `auth/sessions/${encodeURIComponent(id)}`);
export const endOtherSessions = () => ask<unknown>('DELETE', 'auth/sessions');

export const keys = async () => (await ask<KeysAnswer>('GET', 'api/keys')).keys;
export const makeKey = (key: KeyRequest) => ask<NewKey>('POST', 'api/keys', key);
export const revokeKey = (id: string) => ask<unknown>('DELETE', `api/keys/${encodeURIComponent(id)}`);

export const users = () => ask<UsersAnswer>('GET', 'api/users');
export const addUser = (user: Credentials & { role: string }) => ask<unknown>('POST', 'api/users', user);
export const changeUser = (name: string, change: { role?: string; disabled?: boolean; password?: string }) =>
  ask<unknown>('PATCH', `api/users/${encodeURIComponent(name)}`, change);
export const deleteUser = (name: string) => ask<unknown>('DELETE', `api/users/${encodeURIComponent(name)}`);

export const addRole = (role: GrantsInfo & { name: string }) => ask<unknown>('POST', 'api/roles', role);
export const changeRole = (name: string, grants: GrantsInfo) =>
  ask<unknown>('PATCH', `api/roles/${encodeURIComponent(name)}`, grants);
export const deleteRole = (name: string) => ask<unknown>('DELETE', `api/roles/${encodeURIComponent(name)}`);

interface KeyRequest extends GrantsInfo {
  name: string;
  source?: string;
  expires?: number;
}

/** For a failure at the identity provider, of which no more than the code is known. */
export function sentenceOf(code: string): string {
  if (code === 'login_failed')
    return 'signing in did not work: perhaps you are in no group that may come in here; ask an admin (login_failed)';
  return `signing in did not work (${code})`;
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method,
      cache: 'no-store',
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Failure('unreachable', SENTENCES.unreachable as string);
  }
  const answer = (await response.json().catch(() => ({}))) as Partial<Problem> & T;
  if (response.ok) return answer;
  const code = answer.code ?? `http_${response.status}`;
  const seconds = Number(response.headers.get('retry-after'));
  if (code === 'too_many_attempts')
    throw new Failure(
      code,
      `too many attempts: try again ${seconds > 0 ? `in ${Math.ceil(seconds)} s` : 'later'}`,
    );
  throw new Failure(code, SENTENCES[code] ?? answer.detail ?? `the gateway answered ${code}`);
}
