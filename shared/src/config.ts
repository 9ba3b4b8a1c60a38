// Reads the environment of a process by a zod schema: it gives frozen values, or one clear line for each variable that is wrong.

import { z } from 'zod';
import { isClusterUrl, redisUrlComplaint } from './broker/redis/address.ts';
import { DEFAULT_NAMESPACE } from './broker/redis/keys.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from './broker/retention.ts';
import { CONVERSATION_PREFIX, RUN_PREFIX, TRACE_PREFIX } from './channels.ts';
import { CodedError } from './errors.ts';

/** A variable that takes one of a few words. */
export const word = <const Words extends readonly string[]>(...words: Words) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });

/** What docs/configuration.md says about a variable, and its second name. */
export interface About {
  description: string;
  /** The default in words, for a number that says too little: `86400` is `a day`. */
  means?: string;
  /** A second name, which is read if the variable itself is not set. */
  alias?: string;
}

/** Adds to the schema of a variable what the documentation says about it. Call this last: schemas derived from the result lose it. */
export const about = <Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  more: Omit<About, 'description'> = {},
) => schema.meta({ description: text, ...more });

/** A variable that switches something on or off: true/false, 1/0, yes/no or on/off, in upper or lower case. */
export const flag = (otherwise: boolean) =>
  z
    .string()
    .toLowerCase()
    .pipe(word('true', 'false', '1', '0', 'yes', 'no', 'on', 'off'))
    .transform((text) => ['true', '1', 'yes', 'on'].includes(text))
    .default(otherwise);

/** A flag that may be left unset, because its default depends on other variables. */
const optionalFlag = () => flag(false).unwrap().optional();

/** A whole number from `min` to `max`, both included; `min` is at least 0. */
export const whole = (otherwise: number, min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .trim()
    .regex(/^\d+$/, { error })
    .transform(Number)
    .pipe(z.number().min(min, { error }).max(max, { error }))
    .default(otherwise);
};

/** A list separated by commas; blank items are dropped. `rule` says in words which lists `fits` accepts. */
export const list = (otherwise: string, rule: string, fits: (items: readonly string[]) => boolean) =>
  z
    .string()
    .default(otherwise)
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine(fits, { error: rule });

/** The variables that every process of the product reads. */
export const brokerVariables = {
  REDIS_URL: about(
    z
      .string()
      .superRefine((url, { addIssue }) => {
        const complaint = redisUrlComplaint(url);
        if (complaint !== undefined) addIssue(complaint);
      })
      .optional(),
    'Redis 7 or newer, where the log lives; `rediss://` for TLS, `redis+sentinel://` for a primary that [Sentinels](deployment.md#sentinel) name, `redis+cluster://` for a [Cluster](deployment.md#cluster). Without it the log lives in the memory of the gateway, and ends with it.',
  ),
  NAMESPACE: about(
    z
      .string()
      .regex(/^[a-z0-9_-]{1,40}$/, 'must be 1 to 40 of a-z 0-9 _ -')
      .default(DEFAULT_NAMESPACE),
    'Several logs can share one Redis, each under a name of its own. In `llm`, a plain `PUBLISH` goes to the Redis channel of the same name as the channel; in any other namespace (`team`), the channel `logs` is the Redis channel `{team}:logs`.',
  ),
  PLAIN_CHANNELS: about(
    optionalFlag(),
    'Whether each entry is also published on the plain Redis channel of its name, for programs that listen there (`redis-cli SUBSCRIBE logs`). Unset: only in the namespace `llm`, and not where `AUTH` is on or in a Cluster. Those who write to the log should agree on it. Entries of runs and conversations, and other reserved channels, are never there.',
  ),
  LOG_LEVEL: about(
    word('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
    "The lowest level of the process's own log, on stderr.",
  ),
  PRODUCTION: about(
    flag(false),
    "`true` writes the process's own log as JSON lines, without colors, for a collector.",
  ),
  ENTRY_BYTES: about(
    whole(65_536, 4_096, 1_048_576),
    'The largest entry. The text of a larger one is cut, and the cut is marked. Less would leave no room for the calls of tools.',
  ),
};

/** Whether a process repeats what it writes on plain Redis channels. `isGuarded`: gateways ask who somebody is (AUTH). */
export function hasPlainChannels(
  {
    PLAIN_CHANNELS,
    NAMESPACE,
    REDIS_URL,
  }: { PLAIN_CHANNELS?: boolean | undefined; NAMESPACE: string; REDIS_URL?: string | undefined },
  isGuarded: boolean,
): boolean {
  return PLAIN_CHANNELS ?? (NAMESPACE === DEFAULT_NAMESPACE && !isGuarded && !isClusterUrl(REDIS_URL));
}

/** Read by gateways, and by producers that write to Redis, so that both agree on plain channels. */
export const authModeVariable = {
  AUTH: about(
    word('on', 'off', 'report').optional(),
    'Whether people and programs must say who they are. `on`: everything needs a session, a key or a token. `off`: whoever reaches the port may do everything. `report`: the same as `off` (but people, keys and `audit:` channels stay for admins), and the channel `audit:refusals` says what `on` would refuse. Unset, it is off as long as nobody else can come: `HOST` (or `PUBLISHED_HOST`) is loopback, and `ALLOWED_HOSTS`, `TRUST_PROXY`, `BASE_PATH` and `PUBLIC_URL` are unset; otherwise the gateway does not start. A producer that writes to Redis reads it, too: `on` switches `PLAIN_CHANNELS` off.',
  ),
};

const HOUR_S = 3_600;

/** The variables that every process that writes to Redis reads. Each append trims its channel, so all processes must agree on them. */
export const retentionVariables = {
  RETENTION_ENTRIES: about(
    whole(DEFAULT_RETENTION.default.entries, 1, 10_000_000),
    'Entries kept in each channel. The log trims in blocks, so a channel may keep about a hundred more.',
  ),
  RETENTION_SECONDS: about(
    whole(24 * HOUR_S, 1, 365 * 24 * HOUR_S),
    'A channel loses all its entries when it has had no new one for this long, or up to two seconds later.',
    { means: 'a day' },
  ),
  RETENTION_SECONDS_RUNS: about(
    whole(6 * HOUR_S, 1, 365 * 24 * HOUR_S),
    'The same for the channels of runs (`runs:…`).',
    { means: 'six hours' },
  ),
  RETENTION_SECONDS_TRACES: about(
    whole(6 * HOUR_S, 1, 365 * 24 * HOUR_S),
    'The same for the channels of spans that come by OpenTelemetry (`traces:…`).',
    { means: 'six hours' },
  ),
  RETENTION_SECONDS_CONVERSATIONS: about(
    whole(30 * 24 * HOUR_S, 1, 365 * 24 * HOUR_S),
    'The same for the channels of conversations (`conversations:…`).',
    { means: 'thirty days' },
  ),
  RETENTION_BYTES: about(
    whole(DEFAULT_RETENTION.maxBytes, 0, Number.MAX_SAFE_INTEGER),
    'Memory that the whole log may take, about. The gateway that adopts measures it from time to time (if all have `ADOPT_CHANNELS=none`, none does); above it, the largest channels lose their oldest entries. 0 sets no limit.',
    { means: '1 GiB' },
  ),
  MAX_CHANNELS: about(
    whole(DEFAULT_RETENTION.maxChannels, 1, 10_000_000),
    'Channels in the log. A publisher of one more gets the error `too_many_channels`. New channels of plain `PUBLISH`es are taken up to four fifths of it, and those of other writers up to nine tenths, so that runs have room.',
  ),
};

export function retentionPolicy(
  config: Readonly<Record<keyof typeof retentionVariables, number>>,
): RetentionPolicy {
  const entries = config.RETENTION_ENTRIES;
  return {
    default: { entries, idleMs: config.RETENTION_SECONDS * 1_000 },
    prefixes: [
      { prefix: RUN_PREFIX, entries, idleMs: config.RETENTION_SECONDS_RUNS * 1_000 },
      { prefix: TRACE_PREFIX, entries, idleMs: config.RETENTION_SECONDS_TRACES * 1_000 },
      { prefix: CONVERSATION_PREFIX, entries, idleMs: config.RETENTION_SECONDS_CONVERSATIONS * 1_000 },
    ],
    maxChannels: config.MAX_CHANNELS,
    maxBytes: config.RETENTION_BYTES,
  };
}

/**
 * Reads `env`; an empty value counts as unset. @throws CodedError `invalid_config`, whose message has a line for each variable
 * that is wrong: its name, its value (not if it may hold a secret) and what is allowed.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.output<z.ZodObject<Shape>>> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  /** For each variable that was set under its second name: that name, so that a complaint names what the person wrote. */
  const names = new Map<string, string>();
  for (const [name, schema] of Object.entries(shape)) {
    const alias = (schema as z.ZodType).meta()?.alias as string | undefined;
    if (alias === undefined || present[name] !== undefined || present[alias] === undefined) continue;
    present[name] = present[alias];
    names.set(name, alias);
  }
  const result = z.object(shape).safeParse(present);
  if (result.success) return Object.freeze(result.data);
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = MAY_HOLD_SECRET.test(name) ? '' : ` is ${JSON.stringify(present[name])}`;
    return `${names.get(name) ?? name}${value}: ${issue.message}`;
  });
  throw new CodedError('invalid_config', lines.join('\n'));
}

const MAY_HOLD_SECRET = /KEY|TOKEN|SECRET|PASSWORD|URL|ENDPOINT/;

/** Loads the file `.env` of the working folder into the environment, if there is one. Variables that are set already stay. */
export function loadDotEnv(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
