// The gateway's environment variables: each with its meaning, default and allowed values. docs/configuration.md is made from them.

import { isIP, isIPv6 } from 'node:net';
import { isClusterUrl } from '@llm-streamer/shared/broker/redis/address.ts';
import { isPattern, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import {
  about,
  brokerVariables,
  hasPlainChannels,
  list,
  readConfig,
  retentionVariables,
  whole,
  word,
} from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { agentVariables } from './agents/config.ts';
import { authMode, authVariables, wayIn } from './auth/config.ts';
import { authStoreVariables } from './auth/store/config.ts';
import { refuseHalfWays, waysVariables } from './auth/ways-config.ts';
import { doorVariables } from './door/config.ts';
import { mcpVariables } from './mcp/config.ts';
import { otlpVariables } from './otlp/config.ts';
import { rulesVariables } from './rules/config.ts';
import { runVariables } from './runs/config.ts';
import type { ConnectionLimits } from './stream/viewer/connection-limiter.ts';
import { toolVariables } from './tools/config.ts';
import { tracingVariables } from './tracing/config.ts';

/** Where the gateway listens, and which clients it answers. */
export const serverVariables = {
  HOST: about(
    z.string().min(1).default('127.0.0.1'),
    'The address on which the gateway listens. `0.0.0.0` listens on all; read [Security](security.md) first.',
  ),
  PORT: about(whole(8_000, 0, 65_535), 'The port on which the gateway listens; 0 takes any free one.'),
  WORKERS: about(
    whole(1, 1, 256),
    'Processes that share the port, to use more than one core. More than one needs `REDIS_URL`.',
  ),
  BASE_PATH: about(
    z
      .string()
      .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'must look like /logs, without a slash at the end')
      .default(''),
    'The path under which a proxy serves the gateway.',
  ),
  ALLOWED_HOSTS: about(
    list(
      '',
      'must be names or addresses like logs.example.com or 10.0.0.7:8000, separated by commas, or *',
      (hosts) => hosts.every((host) => host === '*' || isHost(host)),
    ),
    'Names by which clients may address the gateway, besides `localhost`, `127.0.0.1`, `[::1]` and `HOST`. The port does not matter. `*` allows any name.',
  ),
  CORS_ORIGINS: about(
    list(
      '',
      'must be origins as browsers send them, like https://board.example.com or http://localhost:5173 ' +
        '(lower case, without path, slash at the end or the default port), separated by commas, or *',
      (origins) => origins.every((origin) => origin === '*' || isOrigin(origin)),
    ),
    'Origins of other sites whose pages may read and write here. `*` allows any.',
  ),
  TRUST_PROXY: about(
    z
      .string()
      .refine(
        areProxies,
        'must be true, false, or addresses and networks like 10.0.0.0/8, separated by commas',
      )
      .default(''),
    "Proxies whose `X-Forwarded-For` says a client's address. `true` trusts any.",
  ),
  SHUTDOWN_GRACE_MS: about(
    whole(4_000, 0, 600_000),
    'Time to end after SIGTERM. Runs end at once with `gateway_stopped` (or later as `run_lost`, if Redis cannot be reached), viewers get `bye`; what is still open at the end of the time is cut off.',
  ),
};

/** What viewers get, and how many viewers there may be. */
export const streamVariables = {
  REDIS_FEED: about(
    word('primary', 'replica').default('primary'),
    'The server that brings a gateway live entries and history. `replica`: one of those that follow the primary, so that it has [less to do](deployment.md#replicas); the primary where none can be used, which is said then. Entries are written on the primary in any case.',
  ),
  ADOPT_CHANNELS: about(
    list(
      'logs*,events*',
      `must be channels and patterns of ${PATTERN_RULE}, separated by commas, or none alone`,
      (patterns) => patterns.join() === 'none' || (patterns.length > 0 && patterns.every(isAdoptable)),
    ),
    'Channels whose plain `PUBLISH` messages a gateway puts into the log. `none` adopts nothing.',
  ),
  SSE_KEEPALIVE_MS: about(whole(30_000, 100, 600_000), 'Time between two `ping` events of a stream.', {
    alias: 'SSE_KEEPALIVE',
  }),
  SSE_RETRY_MS: about(whole(3_000, 0, 600_000), 'Time that a client is asked to wait before it reconnects.', {
    alias: 'SSE_RETRY',
  }),
  SSE_LIFETIME_MS: about(
    whole(0, 0, 86_400_000),
    'Time after which a stream of `/stream` is ended, to be resumed, perhaps on another gateway; each stream ends up to a fifth earlier. 0 never ends one.',
  ),
  SSE_STALL_MS: about(
    whole(300_000, 0, 86_400_000),
    "Time that a viewer's socket may accept nothing before it is closed; the viewer can resume. The same holds for a client of OpenAI's API that takes nothing of its answer. 0 never closes one. The buffers of the operating system free up in steps of up to some MB, so that a reader of 15 kB/s or less may seem to accept nothing for the default time.",
  ),
  MAX_CONNECTIONS: about(
    whole(20_000, 0, 1_000_000),
    'SSE connections at a time, of all workers together. 0 sets no limit.',
  ),
  MAX_CONNECTIONS_PER_ADDRESS: about(
    whole(0, 0, 1_000_000),
    'SSE connections at a time from one client address (an IPv6 network /64 is one). 0 sets no limit.',
  ),
  MAX_VIEWS: about(
    whole(5_000, 1, 1_000_000),
    'Distinct queries at a time, in one process. Their distinct patterns together may cost 5000: a pattern costs 1 for every 20 characters begun, and ten times as much with a `*` elsewhere than at its end.',
  ),
};

const variables = {
  ...brokerVariables,
  ...retentionVariables,
  ...runVariables,
  ...toolVariables,
  ...agentVariables,
  ...serverVariables,
  ...streamVariables,
  ...otlpVariables,
  ...tracingVariables,
  ...rulesVariables,
  ...doorVariables,
  ...mcpVariables,
  ...authVariables,
  ...waysVariables,
  ...authStoreVariables,
};

/** The names of this machine in URLs. */
export const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** The port is optional, and is ignored: with a proxy in front, it is the port of the proxy. */
function isHost(text: string): boolean {
  if (isIPv6(text)) return true;
  const [, address, name] = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return address === undefined ? name !== undefined : isIPv6(address);
}

/** Origins are compared as texts with what browsers send, so a text that browsers never send is a mistake. */
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

/** With `AUTH` and `MCP` as they follow from all; `isOpenOnPurpose` says that `AUTH` was set to `off`. @throws CodedError `invalid_config` with a line per invalid variable. */
export function readGatewayConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  const config = readConfig(variables, env);
  refuseHalfWays(config);
  if (config.REDIS_FEED === 'replica' && isClusterUrl(config.REDIS_URL))
    throw new CodedError(
      'invalid_config',
      'REDIS_FEED: replicas of a Cluster cannot be read from; leave it primary',
    );
  const { MCP = wayIn(config) === undefined ? 'on' : 'off' } = config;
  return Object.freeze({ ...config, MCP, AUTH: authMode(config), isOpenOnPurpose: config.AUTH === 'off' });
}

/** Reads a variable that a file of the operator names with `key_env`, `token_env` or `url_env`. */
export function readSecret(name: string): string | undefined {
  return process.env[name];
}

/** TRUST_PROXY in the form that Fastify takes. */
export function trustedProxies({ TRUST_PROXY }: Config): boolean | string[] {
  if (TRUST_PROXY === '' || TRUST_PROXY === 'false') return false;
  return TRUST_PROXY === 'true' ? true : TRUST_PROXY.split(',').map((proxy) => proxy.trim());
}

export function connectionLimits({ MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS }: Config): ConnectionLimits {
  return { maxConnections: MAX_CONNECTIONS, maxPerAddress: MAX_CONNECTIONS_PER_ADDRESS };
}

/** Whether the gateway repeats what it writes on plain Redis channels. */
export function plainChannels(config: Config): boolean {
  return hasPlainChannels(config, config.AUTH === 'on');
}

export function adoptedChannels({ ADOPT_CHANNELS }: Config): string[] {
  return ADOPT_CHANNELS.join() === 'none' ? [] : ADOPT_CHANNELS;
}
