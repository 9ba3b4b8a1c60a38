// Makes the line of a Redis ACL file for each kind of user that a namespace has. What a user of the kind `producer` may publish on
// is never a channel on which the log announces, whatever patterns it gets: so such a user cannot forge an entry or a tick.

import { CHANNEL_RULE, isPattern, PATTERN_RULE } from '../../channels.ts';
import { CodedError } from '../../errors.ts';
import { RedisKeys } from './keys.ts';

/**
 * - `gateway`: everything that a gateway does.
 * - `writer`: a producer that appends to the log itself (REDIS_URL). It may run scripts on the keys, so it is as trusted as a gateway.
 * - `producer`: may only PUBLISH. What it sends is foreign, and a gateway may adopt it.
 * - `reader`: may only subscribe to plain names, so it hears what PLAIN_CHANNELS repeats there, and what producers publish.
 */
export const ACL_KINDS = ['gateway', 'writer', 'producer', 'reader'] as const;
export type AclKind = (typeof ACL_KINDS)[number];

export interface AclRequest {
  namespace: string;
  role: AclKind;
  /** The name of the Redis user. */
  user: string;
  /** Channels and patterns of the log that the user may write or read; a gateway's are always all. */
  channels: readonly string[];
  /** Whether the log is in a Cluster, and announces on other channels there. */
  isSharded?: boolean;
  /** `redis_version` in the server's INFO, such as 7.0.15: a rule that a server does not know keeps it from starting. */
  redisVersion: string;
  /** The SHA-256 of the password, 64 hexadecimal digits. Without it nobody can log in as this user. */
  passwordSha256?: string;
}

const USER = /^[A-Za-z0-9_.-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** What clients send when they connect, before anything else. */
const GREETING = ['+ping', '+hello', '+client|setname'];
const SUBSCRIBING = ['+subscribe', '+psubscribe', '+unsubscribe', '+punsubscribe'];
/** All but what administers the server. INFO counts as dangerous, and names the server process to the log. */
const WORKING = ['+@all', '-@admin', '-@dangerous', '+info', '+client|setname'];

/** Lines for `aclfile`, or for redis.conf. After `ACL SETUSER`, each is the same without its first word. */
export function aclLines(request: AclRequest): string[] {
  const { namespace, role, user, channels, passwordSha256 } = request;
  check(request);
  const keys = new RedisKeys(namespace, undefined, request.isSharded);
  // On a partition are channels of all names.
  const announced = keys.isSharded
    ? [`&${keys.announcePrefix}*`]
    : channels.map((pattern) => `&${keys.announced(pattern)}`);
  const greeting = knowsSetInfo(request.redisVersion) ? [...GREETING, '+client|setinfo'] : GREETING;
  const plain = channels.flatMap((pattern) => plainRules(keys, pattern));
  const rules: Record<AclKind, () => string[]> = {
    gateway: () => [`~${keys.prefix}*`, '&*', ...WORKING],
    writer: () => [`~${keys.prefix}*`, 'resetchannels', ...announced, ...plain, ...WORKING],
    producer: () => ['resetkeys', 'resetchannels', ...plain, '-@all', '+publish', ...greeting],
    reader: () => ['resetkeys', 'resetchannels', ...plain, '-@all', ...SUBSCRIBING, ...greeting],
  };
  const password = passwordSha256 === undefined ? [] : [`#${passwordSha256}`];
  return [['user', user, 'on', ...password, ...new Set(rules[role]())].join(' ')];
}

/**
 * The rules for the plain names of a pattern. A pattern that begins with a star would also match what the log publishes, since the
 * star may stand for anything. So it gets a first character that those names do not have.
 */
function plainRules(keys: RedisKeys, pattern: string): string[] {
  if (!pattern.startsWith('*')) return [`&${keys.plain(pattern)}`];
  const rest = pattern.replace(/^\*+/, '');
  if (rest === '') return [`&${keys.everyPlain}`];
  // `*s` is `s` itself, and everything longer.
  return [`&${keys.everyPlain}${rest}`, `&${keys.plain(rest)}`];
}

/** CLIENT SETINFO came with Redis 7.2, and clients of that age send it unasked. */
function knowsSetInfo(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 7 || (major === 7 && minor >= 2);
}

function check({ namespace, role, user, channels, redisVersion, passwordSha256 }: AclRequest): void {
  const refuse = (why: string) => {
    throw new CodedError('invalid_config', why);
  };
  if (!/^[a-z0-9_-]{1,40}$/.test(namespace)) refuse('the namespace must be 1 to 40 of a-z 0-9 _ -');
  if (!USER.test(user)) refuse('the name of a Redis user must be 1 to 64 of A-Z a-z 0-9 _ . -');
  if (!channels.every(isPattern)) refuse(`channels must be patterns of ${PATTERN_RULE}`);
  if (role !== 'gateway' && channels.length === 0)
    refuse(`a ${role} needs channels: names (${CHANNEL_RULE}) or patterns such as logs*`);
  if (!/^\d+\.\d+/.test(redisVersion)) refuse('the version of Redis must look like 7.0.15');
  if (passwordSha256 !== undefined && !SHA256.test(passwordSha256))
    refuse('the SHA-256 of the password must be 64 hexadecimal digits');
}
