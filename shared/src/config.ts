// Reads a process's environment against a zod schema: frozen values, or one clear line per invalid variable.

import { z } from 'zod';
import { DEFAULT_RETENTION, type RetentionPolicy } from './broker/retention.ts';
import { CodedError } from './errors.ts';

/** One of a few words. */
const word = <const Words extends readonly string[]>(...words: Words) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });

/** An environment variable that switches: true/false, 1/0, yes/no, on/off, in any case. */
export const flag = (otherwise: boolean) =>
  z
    .string()
    .toLowerCase()
    .pipe(word('true', 'false', '1', '0', 'yes', 'no', 'on', 'off'))
    .transform((said) => ['true', '1', 'yes', 'on'].includes(said))
    .default(otherwise);

/** A whole number with an inclusive range, none of it below 0. */
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

/** A comma-separated list; blank items are dropped. `rule` tells people what `fits` takes. */
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

/** What every process of the product reads. */
export const brokerVariables = {
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must look like redis://[user:password@]host:port[/db]' })
    .optional(),
  NAMESPACE: z
    .string()
    .regex(/^[a-z0-9_-]{1,40}$/, 'must be 1 to 40 of a-z 0-9 _ -')
    .default('llm'),
  LOG_LEVEL: word('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  /** The process's own log as JSON lines for a collector. */
  PRODUCTION: flag(false),
  ENTRY_BYTES: whole(65_536, 1_024, 1_048_576),
};

const HOUR_S = 3_600;

/** What every process that writes to Redis reads: each append trims its channel, so all must agree. */
export const retentionVariables = {
  /** Entries kept per channel. */
  RETENTION_ENTRIES: whole(DEFAULT_RETENTION.default.entries, 1, 10_000_000),
  /** Seconds without a new entry after which a channel's entries go. */
  RETENTION_SECONDS: whole(24 * HOUR_S, 1, 365 * 24 * HOUR_S),
  RETENTION_SECONDS_RUNS: whole(6 * HOUR_S, 1, 365 * 24 * HOUR_S),
  RETENTION_SECONDS_CONVERSATIONS: whole(30 * 24 * HOUR_S, 1, 365 * 24 * HOUR_S),
  /** Bytes the log may take; 0 for no bound. */
  RETENTION_BYTES: whole(DEFAULT_RETENTION.maxBytes, 0, Number.MAX_SAFE_INTEGER),
  MAX_CHANNELS: whole(DEFAULT_RETENTION.maxChannels, 1, 10_000_000),
};

export function retentionPolicy(
  config: Readonly<Record<keyof typeof retentionVariables, number>>,
): RetentionPolicy {
  const entries = config.RETENTION_ENTRIES;
  return {
    default: { entries, idleMs: config.RETENTION_SECONDS * 1_000 },
    prefixes: [
      { prefix: 'runs:', entries, idleMs: config.RETENTION_SECONDS_RUNS * 1_000 },
      { prefix: 'conversations:', entries, idleMs: config.RETENTION_SECONDS_CONVERSATIONS * 1_000 },
    ],
    maxChannels: config.MAX_CHANNELS,
    maxBytes: config.RETENTION_BYTES,
  };
}

/**
 * Parses `env` (an empty value counts as unset). @throws CodedError `invalid_config`, its message a line per variable:
 * the name, what it was (never for a variable that may hold a secret) and what is allowed.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.output<z.ZodObject<Shape>>> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = z.object(shape).safeParse(present);
  if (result.success) return Object.freeze(result.data);
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = MAY_HOLD_SECRET.test(name) ? '' : ` is ${JSON.stringify(present[name])}`;
    return `${name}${value}: ${issue.message}`;
  });
  throw new CodedError('invalid_config', lines.join('\n'));
}

const MAY_HOLD_SECRET = /KEY|TOKEN|SECRET|PASSWORD|URL/;

/** Loads `.env` of the working folder into the environment, where there is one; set variables win. */
export function loadDotEnv(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
