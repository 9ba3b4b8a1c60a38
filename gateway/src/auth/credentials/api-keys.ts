// API keys: how one is made, and who it is. A key is random, so a fast digest of it is as good as a slow one; the key itself is shown
// once and kept nowhere. Its last six characters prove that it was not mistyped or made up idly, before anything is looked up.

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { TooManyPatterns } from '@llm-streamer/shared/channel-sets.ts';
import { hasFewStars, MAX_STARS } from '@llm-streamer/shared/channels.ts';
import { isLabel } from '@llm-streamer/shared/entry.ts';
import type { Grants, Principal } from '../principal.ts';
import type { RefusalLog } from '../refusal-log.ts';
import { renewable } from '../renewal.ts';
import { narrowGrants } from '../rights/narrow-grants.ts';
import { withOwn } from '../rights/roles.ts';
import { type ApiKey, type AuthStore, NOTE_MS } from '../store/auth-store.ts';
import { BASE36, base62, randomText } from './base62.ts';
import type { CredentialCheck } from './credential-check.ts';
import { principalOfUser } from './person.ts';

/** Begins each key. */
export const KEY_PREFIX = 'lls_';
const KEY = new RegExp(`^${KEY_PREFIX}([a-z0-9]{8})_[A-Za-z0-9]{43}_([A-Za-z0-9]{6})$`);
/** A year. */
const KEY_EXPIRES_MS = 365 * 86_400_000;
/** No key lives longer. */
export const MAX_KEY_EXPIRES_MS = 10 * KEY_EXPIRES_MS;

export interface MadeKey {
  id: string;
  /** The key itself. */
  key: string;
  digest: string;
}

export function makeApiKey(): MadeKey {
  const id = randomText(8, BASE36);
  const body = `${KEY_PREFIX}${id}_${randomText(43)}`;
  const key = `${body}_${checksum(body)}`;
  return { id, key, digest: sha256(key) };
}

/** What whoever makes a key says of it. */
export interface KeyTerms extends Pick<ApiKey, 'name' | 'grants'> {
  user?: string | undefined;
  source?: string | undefined;
  /** Epoch ms; in a year if it is left out. */
  expires?: number | undefined;
}

/** A new key, and what the store keeps of it. */
export function newApiKey({ name, user, grants, source, expires }: KeyTerms): {
  key: string;
  record: ApiKey;
} {
  const { id, key, digest } = makeApiKey();
  const created = Date.now();
  const record = {
    id,
    digest,
    name,
    ...(user !== undefined && { user }),
    grants,
    ...(source !== undefined && { source }),
    created,
    expires: expires ?? created + KEY_EXPIRES_MS,
    lastUsed: 0,
  };
  return { key, record };
}

export const SOURCE_RULE = `must be 1 to 200 characters with at most ${MAX_STARS} *`;

/** Whether it can say which sources the entries of a key may name. */
export function isSourcePattern(text: string): boolean {
  return isLabel(text) && hasFewStars(text);
}

/** Undefined for what cannot be a key: then there is nothing to look up. */
export function parseApiKey(text: string): { id: string; digest: string } | undefined {
  const [, id, sum] = KEY.exec(text) ?? [];
  if (id === undefined || sum !== checksum(text.slice(0, -7))) return undefined;
  return { id, digest: sha256(text) };
}

export class ApiKeys implements CredentialCheck {
  readonly #store: AuthStore;
  readonly #now: () => number;
  readonly #refusals: Pick<RefusalLog, 'refuse'> | undefined;

  constructor(store: AuthStore, now: () => number = Date.now, refusals?: Pick<RefusalLog, 'refuse'>) {
    this.#store = store;
    this.#now = now;
    this.#refusals = refusals;
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    const parsed = parseApiKey(credential);
    if (parsed === undefined) return this.#refusals?.refuse('it is malformed', KEY.exec(credential)?.[1]);
    return this.#ofDigest(parsed);
  }

  async #ofDigest(parsed: { id: string; digest: string }): Promise<Principal | undefined> {
    const key = await this.#store.keyByDigest(parsed.digest);
    const now = this.#now();
    if (key === undefined) return this.#refusals?.refuse('it is unknown or revoked', parsed.id);
    if (key.expires <= now) return this.#refusals?.refuse('it has expired', parsed.id);
    const identity = key.user === undefined ? service(key) : await this.#personal(key, key.user);
    if (identity === undefined)
      return this.#refusals?.refuse('its person is gone, disabled or without a role', parsed.id);
    // Only a note for people: that it cannot be written now refuses nobody.
    if (now - key.lastUsed >= NOTE_MS) this.#store.keyUsed(key.id, now).catch(() => undefined);
    const principal: Principal = {
      id: `key:${key.id}`,
      kind: 'key',
      name: key.name,
      ...identity,
      ...(key.source !== undefined && { source: key.source }),
      expires: key.expires,
    };
    return renewable(principal, () => this.#ofDigest(parsed));
  }

  async #personal(key: ApiKey, name: string): Promise<Pick<Principal, 'owner' | 'grants'> | undefined> {
    const person = await principalOfUser(this.#store, name);
    if (person === undefined) return undefined;
    const grants = narrowed(key.grants, person.grants);
    // Who starts runs has to read them. A key that may only publish does not read its person's conversations.
    return grants && { owner: name, grants: grants.run ? withOwn(grants, name) : grants };
  }
}

/** The key of a program, which outlives whoever made it. Its runs are its own. */
function service({ id, grants }: ApiKey): Pick<Principal, 'owner' | 'grants'> {
  const owner = `k-${id}`;
  return { owner, grants: withOwn(grants, owner) };
}

/** Undefined if the grants cannot be compared, so that a key made for that allows nothing. */
function narrowed(grants: Grants, limit: Grants): Grants | undefined {
  try {
    return narrowGrants(grants, limit);
  } catch (error) {
    if (error instanceof TooManyPatterns) return undefined;
    throw error;
  }
}

/** Six letters hold every CRC-32. */
function checksum(text: string): string {
  return base62(crc32(text), 6);
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
