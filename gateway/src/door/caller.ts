// Who makes a call: the source of its entries, and whether the key that the client sends is for the service or for the gateway.

import { globMatcher } from '@llm-streamer/shared/channels.ts';
import type { Access } from '../auth/access.ts';
import { isOwnCredential, KEY_HEADER, SOURCE_HEADER } from './headers.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The source of a client that says nothing of itself. */
const UNKNOWN = 'openai';
const LABEL = /^[\w.:/@+ -]{1,100}$/;

/**
 * The key's own source or its name; else what a header says, or the client's `User-Agent`. A key never writes under another's source: where
 * its pattern allows none of these, the source is the key's name, which nobody else can have taken, although the pattern does not allow it.
 */
export function sourceOf({ principal, ownSource }: Access, headers: Headers): string {
  if (ownSource !== undefined) return ownSource;
  const { source, kind, name } = principal;
  const isAllowed = source === undefined ? () => true : globMatcher(source);
  const named = headers[SOURCE_HEADER];
  const candidates = [
    kind === 'key' ? name : undefined,
    typeof named === 'string' && LABEL.test(named) ? named : undefined,
    productOf(headers['user-agent']),
  ];
  return (
    candidates.find((one) => one !== undefined && isAllowed(one)) ?? (source === undefined ? UNKNOWN : name)
  );
}

/** `OpenAI/JS` of `OpenAI/JS 7.59.0`, `curl` of `curl/8.5.0`. */
function productOf(agent: string | string[] | undefined): string | undefined {
  const [product = ''] = typeof agent === 'string' ? agent.split(' ', 1) : [];
  const name = product.replace(/\/v?\d[\w.+-]*$/, '');
  return LABEL.test(name) ? name : undefined;
}

/** Whether the client has shown a key of the gateway beside what is in `Authorization`. */
function hasBothKeys(headers: Headers): boolean {
  return headers[KEY_HEADER] !== undefined;
}

/** Whether `Authorization` is the client's own key for the service: it has proved nothing here. */
export function hasOwnKey({ principal }: Access, headers: Headers): boolean {
  const { authorization } = headers;
  if (typeof authorization !== 'string' || isOwnCredential(authorization)) return false;
  return hasBothKeys(headers) || principal.kind === 'everyone' || principal.kind === 'anonymous';
}

/** Whether the client has a key of the gateway beside its own one for the service. */
export function ownKeyWins(access: Access, headers: Headers): boolean {
  return hasOwnKey(access, headers) && hasBothKeys(headers);
}
