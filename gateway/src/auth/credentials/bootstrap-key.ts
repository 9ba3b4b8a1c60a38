// The key with which an installation without people is set up unattended: whoever has it is an admin, until the first person is
// added.

import { hash, timingSafeEqual } from 'node:crypto';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { readSecretFile } from '@llm-streamer/shared/secret-file.ts';
import { ALL_GRANTS, type Principal } from '../principal.ts';
import type { CredentialCheck } from './credential-check.ts';

const MIN_LENGTH = 32;
/** Its streams end after this time, since adding a person names nobody whose rights are lowered. */
const LIFETIME_MS = 15 * 60_000;

/** @throws CodedError `invalid_config` */
export function readBootstrapKey(path: string): string {
  const key = readSecretFile('AUTH_BOOTSTRAP_KEY_FILE', path).trim();
  if (key.length >= MIN_LENGTH && /^[\w.~+/=-]+$/.test(key)) return key;
  throw new CodedError(
    'invalid_config',
    `AUTH_BOOTSTRAP_KEY_FILE ${path}: must hold at least ${MIN_LENGTH} of A-Z a-z 0-9 _ . ~ + / = -`,
  );
}

export class BootstrapKey implements CredentialCheck {
  readonly #digest: Buffer;
  readonly #store: { users(): Promise<readonly unknown[]> };

  constructor(key: string, store: { users(): Promise<readonly unknown[]> }) {
    this.#digest = digestOf(key);
    this.#store = store;
  }

  async principalOf(credential: string): Promise<Principal | undefined> {
    if (!timingSafeEqual(digestOf(credential), this.#digest)) return undefined;
    if ((await this.#store.users()).length > 0) return undefined;
    return {
      id: 'key:bootstrap',
      kind: 'key',
      name: 'the bootstrap key',
      owner: 'k-bootstrap',
      grants: ALL_GRANTS,
      expires: Date.now() + LIFETIME_MS,
    };
  }
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
