// Which headers pass through the door. Towards the service: those of the client, without those of the connection, of its browser, of the
// proxies before the gateway, and of whoever has signed in here. Back: those of the service, without those of the connection, and
// those that a browser would apply to the gateway's own site. Names, order and repetitions stay as they came.

import { bearerIn } from '../auth/authenticator.ts';
import { KEY_PREFIX } from '../auth/credentials/api-keys.ts';
import { SESSION_PREFIX } from '../auth/credentials/sessions.ts';

/** Holds the gateway's key, where `Authorization` is for the service. */
export const KEY_HEADER = 'llm-streamer-key';
/** Names the source of the call's entries. */
export const SOURCE_HEADER = 'llm-streamer-source';
/** How many gateways a call has come through. */
export const HOPS_HEADER = 'llm-streamer-hops';

/** Names and values by turns, as Node gives and takes them. */
export type RawHeaders = readonly string[];

const OF_CONNECTION = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
const TO_SERVICE = new Set([
  ...OF_CONNECTION,
  'host',
  'content-length',
  'expect',
  'cookie',
  'cookie2',
  'origin',
  'referer',
  'forwarded',
  'via',
  'x-real-ip',
  'true-client-ip',
  'x-client-ip',
  KEY_HEADER,
  SOURCE_HEADER,
  HOPS_HEADER,
]);
const TO_SERVICE_PREFIXES = /^(?:x-forwarded-|sec-|cf-|access-control-)/;
const KEYS = new Set(['authorization', 'api-key', 'x-api-key']);

const TO_CLIENT = new Set([
  ...OF_CONNECTION,
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'alt-svc',
  'clear-site-data',
  'service-worker-allowed',
  'refresh',
  'nel',
  'report-to',
  'reporting-endpoints',
  'public-key-pins',
]);
const TO_CLIENT_PREFIXES = /^access-control-/;

/** A key or a session of this gateway, wherever it stands. */
const OWN_CREDENTIAL = new RegExp(`\\b(?:${KEY_PREFIX}|${SESSION_PREFIX})[A-Za-z0-9]`);

export interface Outgoing {
  host: string;
  /** Undefined where there is no body. */
  bodyBytes: number | undefined;
  hops: number;
  /** The gateway's key for the service; undefined to send what the client has sent. */
  key: string | undefined;
  /** Whether the client's `Authorization` is a key of its own for the service. */
  ownKey: boolean;
  /** Headers in which a proxy names people, in lower case. */
  personal: readonly string[];
}

export function toService(headers: RawHeaders, outgoing: Outgoing): string[] {
  const { host, bodyBytes, hops, key, ownKey, personal } = outgoing;
  const listed = connectionOptions(headers);
  const passed = filtered(headers, (name, value) => {
    if (TO_SERVICE.has(name) || TO_SERVICE_PREFIXES.test(name)) return false;
    if (listed.has(name) || personal.includes(name)) return false;
    if (KEYS.has(name) && key !== undefined) return false;
    if (name === 'authorization' && !ownKey) return false;
    return !OWN_CREDENTIAL.test(value);
  });
  if (bodyBytes !== undefined) passed.push('Content-Length', String(bodyBytes));
  if (key !== undefined) passed.push('Authorization', `Bearer ${key}`);
  return ['Host', host, ...passed, HOPS_HEADER, String(hops)];
}

/** `added` are headers of the gateway, which take the place of the service's of the same name. */
export function toClient(headers: RawHeaders, added: Readonly<Record<string, string>>): string[] {
  const listed = connectionOptions(headers);
  const passed = filtered(
    headers,
    (name) =>
      !TO_CLIENT.has(name) &&
      !TO_CLIENT_PREFIXES.test(name) &&
      !listed.has(name) &&
      (name === 'vary' || !Object.hasOwn(added, name)),
  );
  for (const [name, value] of Object.entries(added)) passed.push(name, value);
  return passed;
}

/** Whether a text is, or holds, a credential of this gateway by its form, also as the password of `Basic`. */
export function isOwnCredential(text: string): boolean {
  return OWN_CREDENTIAL.test(text) || OWN_CREDENTIAL.test(bearerIn(text) ?? '');
}

function filtered(headers: RawHeaders, passes: (name: string, value: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string];
    if (passes(name.toLowerCase(), value)) kept.push(name, value);
  }
  return kept;
}

/** The headers that a `Connection` header declares to be of this connection only. */
function connectionOptions(headers: RawHeaders): Set<string> {
  const values = headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === 'connection');
  return new Set(values.flatMap((value) => value.split(',').map((name) => name.trim().toLowerCase())));
}
