// Who makes a request, and what he may do. Whatever proves it (a session, a key, a token, a proxy), the result is one `Principal`,
// made once for a credential and shared by all its connections.

import {
  AUDIT_PREFIX,
  CONVERSATION_PREFIX,
  RUN_EVENTS_PREFIX,
  RUN_PREFIX,
} from '@llm-streamer/shared/channels.ts';

/** What a principal may do. Grants only add: there is nothing that a grant takes away. */
export interface Grants {
  /** Channels and patterns whose entries may be read. */
  read: readonly string[];
  /** Channels and patterns that may be written to. Reserved channels are the gateway's own, whatever is granted. */
  publish: readonly string[];
  /** Whether runs may be started. */
  run: boolean;
  /** Whether the figures of the gateway may be read: `/metrics`, `/sse/health`. */
  metrics: boolean;
  /** Whether everything may be read, everybody's runs cancelled, and people, roles and keys managed. */
  admin: boolean;
}

export type PrincipalKind = 'user' | 'key' | 'jwt' | 'anonymous' | 'everyone';

export interface Principal {
  /** Different for any two principals of all kinds, such as `user:alice` or `key:8f3k2m1p`. Revocation names it. */
  id: string;
  kind: PrincipalKind;
  /** What people are shown, and what the audit says. */
  name: string;
  /** Begins the names of its runs and conversations: `runs:alice/m1`. Empty where `AUTH` is off: `runs:m1`. */
  owner: string;
  /** With those for its own runs and conversations: see `ownPatterns`. */
  grants: Grants;
  /** The pattern of the sources that its entries may name; undefined for any. */
  source?: string;
  /** When the credential ends, epoch ms; infinite if it does not. */
  expires: number;
  /** Names the session that proved it, so that this session can be ended alone. */
  session?: string;
}

export const NO_GRANTS: Grants = { read: [], publish: [], run: false, metrics: false, admin: false };

/** Those of an admin. */
export const ALL_GRANTS: Grants = {
  read: ['*', `${RUN_PREFIX}*`, `${CONVERSATION_PREFIX}*`, `${RUN_EVENTS_PREFIX}*`, `${AUDIT_PREFIX}*`],
  publish: ['*'],
  run: true,
  metrics: true,
  admin: true,
};

/** With nothing in place of what is left out. */
export function grantsFrom(parts: { [Part in keyof Grants]?: Grants[Part] | undefined }): Grants {
  const { read = [], publish = [], run = false, metrics = false, admin = false } = parts;
  return { read, publish, run, metrics, admin };
}

/**
 * Everybody, where `AUTH` is off. All is allowed but what outlasts that: nobody could tell who added an admin or revoked a key, and
 * the change would still be there when `AUTH` is on. Runs belong to nobody.
 */
export const EVERYONE: Principal = {
  id: 'everyone',
  kind: 'everyone',
  name: 'everyone',
  owner: '',
  grants: { ...ALL_GRANTS, admin: false },
  expires: Number.POSITIVE_INFINITY,
};

/** What an owner may read because it is his: his runs and conversations, and the events about his runs. */
export function ownPatterns(owner: string): string[] {
  return [`${RUN_PREFIX}${owner}/*`, `${CONVERSATION_PREFIX}${owner}/*`, `${RUN_EVENTS_PREFIX}${owner}`];
}
