// The gateway's environment: every variable with its unit, default and off value.

import { isIP, isIPv6 } from 'node:net';
import { isPattern, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { brokerVariables, list, readConfig, retentionVariables, whole } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';
import { runVariables } from './runs/config.ts';
import type { AdmissionLimits } from './stream/admission.ts';

const variables = {
  ...brokerVariables,
  ...retentionVariables,
  ...runVariables,
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: whole(8_000, 0, 65_535),
  /** How people here reach REDIS_URL in a shell, for the page to show; where it is empty, only a Redis of this machine. */
  REDIS_CLI: z
    .string()
    .regex(/^[\x20-\x7e]{0,200}$/, 'must be a command of at most 200 printable ASCII characters')
    .default(''),
  /** Processes that share the port; more than one needs REDIS_URL. */
  WORKERS: whole(1, 1, 256),
  /** Path under which a proxy serves the gateway, like /logs; empty for none. */
  BASE_PATH: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'must look like /logs, without a slash at the end')
    .default(''),
  /** Names by which clients may address the gateway, beside localhost and HOST; * for any. */
  ALLOWED_HOSTS: list(
    '',
    'must be names or addresses like logs.example.com or 10.0.0.7:8000, separated by commas, or *',
    (hosts) => hosts.every((host) => host === '*' || isHost(host)),
  ),
  /** Origins of other sites that may read and write; * for any. */
  CORS_ORIGINS: list(
    '',
    'must be origins as browsers send them, like https://board.example.com or http://localhost:5173 ' +
      '(lower case, without path, slash at the end or the default port), separated by commas, or *',
    (origins) => origins.every((origin) => origin === '*' || isOrigin(origin)),
  ),
  /** Addresses or networks of proxies whose X-Forwarded-For counts; `true` for any, empty for none. */
  TRUST_PROXY: z
    .string()
    .refine(areProxies, 'must be true, false, or addresses and networks like 10.0.0.0/8, separated by commas')
    .default(''),
  /** Channels whose plain PUBLISHes are put into the log; `none` for none. */
  ADOPT_CHANNELS: list(
    'logs*,events*',
    `must be channels and patterns of ${PATTERN_RULE}, separated by commas, or none alone`,
    (patterns) => patterns.join() === 'none' || (patterns.length > 0 && patterns.every(isAdoptable)),
  ),
  /** Milliseconds between pings. */
  SSE_KEEPALIVE: whole(30_000, 100, 600_000),
  /** Milliseconds a client waits before it reconnects. */
  SSE_RETRY: whole(3_000, 0, 600_000),
  /** Milliseconds a connection may last; 0 for ever. */
  SSE_LIFETIME: whole(0, 0, 86_400_000),
  /** Milliseconds a viewer's socket may take nothing before it is closed; 0 for ever. */
  SSE_STALL: whole(300_000, 0, 86_400_000),
  /** SSE connections at a time, and of one address; 0 for no limit. */
  MAX_CONNECTIONS: whole(20_000, 0, 1_000_000),
  MAX_CONNECTIONS_PER_ADDRESS: whole(0, 0, 1_000_000),
  /** Distinct queries at a time. */
  MAX_VIEWS: whole(5_000, 1, 1_000_000),
  /** Of these, how many may have a compressor for gzip viewers, about 160 kB each; 0 compresses nothing. */
  GZIP_VIEWS: whole(500, 0, 100_000),
  /** Milliseconds a flush may wait under load. */
  FLUSH_WINDOW: whole(50, 0, 1_000),
  /** Bytes of recent output kept while a viewer is behind: per view, and for all views. */
  VIEW_RING_BYTES: whole(4_194_304, 65_536, 1_073_741_824),
  RING_BYTES: whole(67_108_864, 65_536, 8_589_934_592),
  /** Bytes of history that was just read, kept for others who ask for the same; 0 for none. */
  HISTORY_SHARE_BYTES: whole(33_554_432, 0, 1_073_741_824),
  /** Entries that one filtered search of history reads at most. */
  SCAN_LIMIT: whole(100_000, 1_000, 10_000_000),
  /** Milliseconds for viewers and runs to end after SIGTERM. */
  SHUTDOWN_GRACE: whole(4_000, 0, 600_000),
};

/** This machine, as URLs name it. */
export const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** With or without a port, which does not matter: behind a proxy it is the proxy's. */
function isHost(text: string): boolean {
  if (isIPv6(text)) return true;
  const [, address, name] = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return address === undefined ? name !== undefined : isIPv6(address);
}

/** Compared as text with what browsers send, so nothing that they never send is taken. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\\\s]+$/.test(text) || url === null) return false;
  return ['http:', 'https:'].includes(url.protocol) ? url.origin === text : text === text.toLowerCase();
}

function isAdoptable(pattern: string): boolean {
  return pattern !== 'none' && isPattern(pattern);
}

function areProxies(value: string): boolean {
  if (['', 'true', 'false'].includes(value)) return true;
  return value.split(',').every((proxy) => {
    const [address = '', bits, ...more] = proxy.trim().split('/');
    const most = isIPv6(address) ? 128 : 32;
    const network =
      bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= most);
    const named = ['loopback', 'linklocal', 'uniquelocal'].includes(proxy.trim());
    return named || (isIP(address) !== 0 && network && more.length === 0);
  });
}

export type Config = ReturnType<typeof readGatewayConfig>;

/** @throws CodedError `invalid_config` with a line per invalid variable. */
export function readGatewayConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  return readConfig(variables, env);
}

/** The variable that a prompts file names as holding a key. */
export function readSecret(name: string): string | undefined {
  return process.env[name];
}

/** Fastify's form of TRUST_PROXY. */
export function trustedProxies({ TRUST_PROXY }: Config): boolean | string[] {
  if (TRUST_PROXY === '' || TRUST_PROXY === 'false') return false;
  return TRUST_PROXY === 'true' ? true : TRUST_PROXY.split(',').map((proxy) => proxy.trim());
}

export function admissionLimits({ MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS }: Config): AdmissionLimits {
  return { maxConnections: MAX_CONNECTIONS, maxPerAddress: MAX_CONNECTIONS_PER_ADDRESS };
}

/** What to type in a shell to send a command to the log's Redis; undefined where that is not known. Holds no password. */
export function redisCommand({ REDIS_URL, REDIS_CLI }: Config): string | undefined {
  if (REDIS_URL === undefined) return undefined;
  if (REDIS_CLI !== '') return REDIS_CLI;
  const { protocol, hostname, port, username, password } = new URL(REDIS_URL);
  if (!LOCAL_HOSTS.includes(hostname)) return undefined;
  return [
    'redis-cli',
    ...(hostname === '[::1]' ? ['-h ::1'] : []),
    ...(port === '' || port === '6379' ? [] : [`-p ${port}`]),
    ...(protocol === 'rediss:' ? ['--tls'] : []),
    ...(username === '' ? [] : [`--user ${username}`]),
    ...(password === '' ? [] : ['--askpass']),
  ].join(' ');
}

export function adoptedChannels({ ADOPT_CHANNELS }: Config): string[] {
  return ADOPT_CHANNELS.join() === 'none' ? [] : ADOPT_CHANNELS;
}
