// Where the log is, as REDIS_URL says it: one server, the Sentinels that know which of several is the primary now, or nodes of a
// Cluster that know which of them owns the log's slot.

import { messageOf } from './errors.ts';

/** One server. ioredis reads the URL itself. */
const PLAIN = /^rediss?:$/;
const SENTINEL = /^rediss?\+sentinel:$/;
export const SENTINEL_PORT = 26_379;
const CLUSTER = /^rediss?\+cluster:$/;
const REDIS_PORT = 6_379;
const SENTINEL_PARAMETERS = [
  'sentinel_master_name',
  'sentinel_user',
  'sentinel_password',
  'sentinel_tls',
  'addr',
];
const CLUSTER_PARAMETERS = ['addr'];

export const REDIS_URL_FORM =
  'must look like redis://[user:password@]host:port[/db], with rediss:// for TLS, or ' +
  'redis+sentinel://[user:password@]host:port[/db]?sentinel_master_name=NAME[&addr=host:port …], or ' +
  'redis+cluster://[user:password@]host:port[?addr=host:port …]';

export interface HostAndPort {
  host: string;
  port: number;
}

export interface SentinelAddress {
  /** At least one. */
  sentinels: HostAndPort[];
  /** What the Sentinels call the group of servers. */
  master: string;
  /** Of the Sentinels, which have users of their own. */
  sentinelUsername?: string;
  sentinelPassword?: string;
  /** Whether the Sentinels are spoken to by TLS; without `sentinel_tls` they are where the servers are. */
  sentinelTls: boolean;
  /** Of the servers. */
  tls: boolean;
  username?: string;
  password?: string;
  db: number;
}

export interface ClusterAddress {
  /** At least one node; the others are learned from it. */
  seeds: HostAndPort[];
  tls: boolean;
  username?: string;
  password?: string;
}

/** What is wrong with a REDIS_URL; undefined if nothing is. It repeats nothing of the URL, which may hold passwords anywhere. */
export function redisUrlComplaint(text: string): string | undefined {
  try {
    parseRedisUrl(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export function isClusterUrl(text: string | undefined): boolean {
  return CLUSTER.test(URL.parse(text ?? '')?.protocol ?? '');
}

/** A plain URL stays as it is. @throws Error that says what is wrong, and never names what a URL holds */
export function parseRedisUrl(text: string): string | SentinelAddress | ClusterAddress {
  const url = URL.parse(text);
  if (url === null || !/^\/?$|^\/\d{1,9}$/.test(url.pathname) || text.includes('#'))
    throw new Error(REDIS_URL_FORM);
  if (PLAIN.test(url.protocol) && url.hostname !== '' && !text.includes('?')) return text;
  if (CLUSTER.test(url.protocol)) return clusterAddress(url);
  if (!SENTINEL.test(url.protocol)) throw new Error(REDIS_URL_FORM);
  return sentinelAddress(url);
}

function sentinelAddress(url: URL): SentinelAddress {
  const { searchParams: query } = url;
  const master = query.get('sentinel_master_name') ?? '';
  refuseUnknown(query, SENTINEL_PARAMETERS);
  if (master === '')
    throw new Error('needs sentinel_master_name, which is what the Sentinels call the group of servers');
  const sentinels = addresses(url, SENTINEL_PORT);
  const tls = url.protocol.startsWith('rediss');
  const sentinelTls = query.get('sentinel_tls') ?? `${tls}`;
  if (!/^(true|false)$/.test(sentinelTls))
    throw new Error('has a sentinel_tls that is neither true nor false');
  return {
    sentinels,
    master,
    ...named('sentinelUsername', query.get('sentinel_user')),
    ...named('sentinelPassword', query.get('sentinel_password')),
    sentinelTls: sentinelTls === 'true',
    tls,
    ...named('username', decoded(url.username)),
    ...named('password', decoded(url.password)),
    db: Number(url.pathname.slice(1) || '0'),
  };
}

function clusterAddress(url: URL): ClusterAddress {
  refuseUnknown(url.searchParams, CLUSTER_PARAMETERS);
  if (!/^\/?$/.test(url.pathname)) throw new Error('names a database, and a Cluster has none');
  return {
    seeds: addresses(url, REDIS_PORT),
    tls: url.protocol.startsWith('rediss'),
    ...named('username', decoded(url.username)),
    ...named('password', decoded(url.password)),
  };
}

/** The name is not repeated: it may be the rest of a password in which & is not written as %26. */
function refuseUnknown(query: URLSearchParams, known: readonly string[]): void {
  if ([...query.keys()].some((key) => !known.includes(key)))
    throw new Error(`has a parameter that is none of ${known.join(', ')} (& in a value is written %26)`);
}

function addresses({ host, searchParams }: URL, defaultPort: number): HostAndPort[] {
  return [host, ...searchParams.getAll('addr')].map((text) => hostAndPort(text, defaultPort));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(REDIS_URL_FORM);
  }
}

function hostAndPort(text: string, defaultPort: number): HostAndPort {
  const url = URL.parse(`tcp://${text}`);
  if (url === null || url.hostname === '' || url.host !== text) throw new Error(REDIS_URL_FORM);
  // An IPv6 address stands in brackets in a URL, and without them in a call to connect.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: url.port === '' ? defaultPort : Number(url.port) };
}

function named<K extends string>(key: K, value: string | null): { [Key in K]?: string } {
  return value === null || value === '' ? {} : ({ [key]: value } as { [Key in K]?: string });
}
