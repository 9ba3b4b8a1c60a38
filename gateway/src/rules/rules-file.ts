// The form of the rules file: what a rule, an alert and a destination may say. A file that is accepted can be applied in bounded time
// and memory; one that is not is refused with the place of each mistake, and none of its texts.

import { createHash } from 'node:crypto';
import {
  CHANNEL_RULE,
  isChannel,
  isPattern,
  isReserved,
  isSearch,
  PATTERN_RULE,
} from '@llm-streamer/shared/channels.ts';
import { isLabel, LEVELS } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { z } from 'zod';
import { number, words } from '../runs/rules.ts';
import { MAX_CHANNELS_PER_QUERY, MAX_SEARCHES_PER_QUERY } from '../stream/query/query.ts';
import { Expression } from './expression.ts';

export const MAX_RULES = 1_000;
const MAX_DESTINATIONS = 50;
/** Characters of a file. A thousand rules with long expressions take about half. */
const MAX_FILE = 1_000_000;
const MAX_GROUPED_BY = 5;

const NAME_RULE = 'must be 1 to 60 of a-z 0-9 _ . -, and begin with a letter or a digit';
const name = z.string(NAME_RULE).regex(/^[a-z0-9][a-z0-9_.-]{0,59}$/, NAME_RULE);

const DURATION_RULE = 'must be a time from 1s to 1d, like 90s, 5m or 2h';
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const duration = z
  .string(DURATION_RULE)
  .regex(/^\d{1,5}[smhd]$/, DURATION_RULE)
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS])
  .refine((ms) => ms >= UNITS.s && ms <= UNITS.d, DURATION_RULE);

const level = z.enum(LEVELS, { error: `must be one of ${LEVELS.join(', ')}` });
const LABEL_RULE = 'must be a text of 1 to 200 characters';
const label = z.string(LABEL_RULE).refine(isLabel, LABEL_RULE);
const SOURCE_RULE = `must be a source, or a pattern of ${PATTERN_RULE}`;
const source = z.string(SOURCE_RULE).refine(isPattern, SOURCE_RULE);

/** An object with these fields and no others: a misspelt field would otherwise be ignored silently. */
const object = <Shape extends z.ZodRawShape>(shape: Shape, rule: string) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown ${issue.keys.map((key) => key.slice(0, 40)).join(', ')}; known are ${Object.keys(shape).join(', ')}`
        : rule,
  });

const EVENTS_RULE = 'must be the name of an event, or a list of 1 to 20 of them';
/** What an entry is asked besides its channel. */
const asked = {
  /** At least this level. */
  level: level.optional(),
  source: source.optional(),
  event: z
    .union([label.transform((one) => [one]), z.array(label).min(1).max(20)], { error: EVENTS_RULE })
    .optional(),
};

const WATCHED_RULE = `must be a list of 1 to 20 channels or patterns of ${PATTERN_RULE}`;
const watched = z
  .string(WATCHED_RULE)
  .refine(isPattern, WATCHED_RULE)
  .refine((pattern) => !isReserved(pattern), 'must not be a reserved channel, which holds texts of people')
  .refine((pattern) => pattern !== CHANNELS.alerts, 'must not be the channel of the alerts themselves');

const EMITTED_RULE = `must be a channel that begins with events:, of ${CHANNEL_RULE}`;
const emit = object(
  {
    channel: z
      .string(EMITTED_RULE)
      .refine((text) => isChannel(text) && text.startsWith('events:'), EMITTED_RULE)
      .refine(
        (text) => !isReserved(text) && text !== CHANNELS.alerts && text !== CHANNELS.runs,
        "must not be a channel of the gateway's own",
      ),
    event: label,
    level: level.optional(),
    attrs: z
      .record(
        label,
        z.union([z.string().max(200), z.number(), z.boolean()]),
        'must be an object of plain values',
      )
      .refine((attrs) => Object.keys(attrs).length <= 20, 'must have at most 20 fields')
      .optional(),
  },
  'must be an object with channel and event',
);

const amount = number('a number', -1e12, 1e12);
const always = {
  /** What the alert tells apart: `source`, `channel`, `run`, `text`, or the name of a group or an attribute. */
  by: z
    .array(label, 'must be a list of names')
    .min(1, 'must be a list of names')
    .max(MAX_GROUPED_BY, `must be a list of at most ${MAX_GROUPED_BY} names`)
    .optional(),
  cooldown: duration.default(5 * UNITS.m),
  level: z.enum(['error', 'warn'], { error: 'must be error or warn' }).default('error'),
  /** Replaces the name of the rule in the sentence. */
  text: words(200).optional(),
  to: z.array(name, 'must be a list of destinations').max(MAX_DESTINATIONS).optional(),
};
const WHEN = ['match', 'count', 'rate', 'share', 'value', 'absent'] as const;
const alert = z.discriminatedUnion(
  'when',
  [
    object(
      { when: z.literal('match'), quiet: duration.default(5 * UNITS.m), ...always },
      'must be an object',
    ),
    object(
      { when: z.literal('count'), bound: number('a whole number', 1, 1e9), within: duration, ...always },
      'must be an object with bound and within',
    ),
    object(
      { when: z.literal('rate'), above: number('a number', 0, 1e9), within: duration, ...always },
      'must be an object with above and within',
    ),
    object(
      {
        when: z.literal('share'),
        of: object(asked, 'must be an object with level, source or event'),
        above: number('a number', 0, 1),
        within: duration,
        at_least: number('a whole number', 1, 1e9).default(20),
        ...always,
      },
      'must be an object with of, above and within',
    ),
    object(
      {
        when: z.literal('value'),
        of: label,
        above: amount.optional(),
        below: amount.optional(),
        for: duration.optional(),
        ...always,
      },
      'must be an object with of, and above or below',
    ).refine(
      ({ above, below }) => (above === undefined) !== (below === undefined),
      'must have either above or below',
    ),
    object({ when: z.literal('absent'), for: duration, ...always }, 'must be an object with for'),
  ],
  { error: `must be one of ${WHEN.join(', ')}` },
);

const rule = object(
  {
    name,
    channels: z.array(watched, WATCHED_RULE).min(1, WATCHED_RULE).max(20, WATCHED_RULE),
    ...asked,
    match: words(1_000).optional(),
    emit: emit.optional(),
    alert: alert.optional(),
  },
  'must be an object with name, channels, and emit or alert',
).refine(
  ({ emit, alert }) => emit !== undefined || alert !== undefined,
  'must have emit or alert, or it would do nothing',
);

const VARIABLE_RULE = 'must be the name of an environment variable, like OPS_WEBHOOK_URL';
const variable = z.string(VARIABLE_RULE).regex(/^[A-Z][A-Z0-9_]*$/, VARIABLE_RULE);
const URL_RULE = 'must look like https://hooks.example.com/path, without user name and password';
const file = words(1_000);
const destination = object(
  {
    kind: z.enum(['json', 'slack', 'ntfy'], { error: 'must be one of json, slack, ntfy' }),
    url: z.string(URL_RULE).refine(isWebhook, URL_RULE).optional(),
    url_env: variable.optional(),
    url_file: file.optional(),
    token_env: variable.optional(),
    token_file: file.optional(),
  },
  'must be an object with kind, and url, url_env or url_file',
)
  .refine(
    (one) => [one.url, one.url_env, one.url_file].filter((each) => each !== undefined).length === 1,
    'must have exactly one of url, url_env, url_file',
  )
  .refine(
    (one) => one.token_env === undefined || one.token_file === undefined,
    'must have one of token_env, token_file at most',
  );

const rulesFile = object(
  {
    rules: z
      .array(rule, 'must be a list of rules')
      .max(MAX_RULES, `must be a list of at most ${MAX_RULES} rules`)
      .refine(
        (rules) => new Set(rules.map((one) => one.name)).size === rules.length,
        'every rule needs a name of its own',
      ),
    destinations: z
      .record(name, destination, 'must be an object of destinations')
      .refine(
        (all) => Object.keys(all).length <= MAX_DESTINATIONS,
        `at most ${MAX_DESTINATIONS} destinations`,
      )
      .optional(),
  },
  'must be an object with rules',
);

export type Alert = Readonly<z.output<typeof alert>>;
export type Asked = Readonly<{ level?: Rule['level']; source?: Rule['source']; event?: Rule['event'] }>;
export type Emit = Readonly<z.output<typeof emit>>;
export type DestinationSettings = Readonly<z.output<typeof destination>>;
export type Rule = Readonly<z.output<typeof rule>> & {
  /** Eight hex digits of all that the rule says. What is remembered of an alert holds for this version alone. */
  readonly version: string;
};

export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly destinations: Readonly<Record<string, DestinationSettings>>;
  /** The channels and patterns of all rules. */
  readonly channels: readonly string[];
}

/** Parses the file's text. @throws CodedError `invalid_rules`, with a line for each mistake */
export function parseRules(text: string): RuleSet {
  if (text.length > MAX_FILE) throw invalid(`the file is larger than ${MAX_FILE} characters`);
  const result = rulesFile.safeParse(parseJson(text));
  if (!result.success) throw invalid(complaints(result.error.issues));
  const { rules, destinations = {} } = result.data;
  const wrong = rules.flatMap((one, i) => mistakesOf(one, i, destinations));
  if (wrong.length > 0) throw invalid(firstOf(wrong));
  const channels = [...new Set(rules.flatMap((one) => one.channels))].sort();
  if (channels.length > MAX_CHANNELS_PER_QUERY)
    throw invalid(`rules: at most ${MAX_CHANNELS_PER_QUERY} different channels and patterns in all`);
  if (channels.filter(isSearch).length > MAX_SEARCHES_PER_QUERY)
    throw invalid(
      `rules: at most ${MAX_SEARCHES_PER_QUERY} patterns in all with a * elsewhere than at the end`,
    );
  return {
    rules: rules.map((one) => ({ ...one, version: versionOf(one) })),
    destinations,
    channels,
  };
}

function invalid(message: string): CodedError {
  return new CodedError('invalid_rules', message);
}

/** What a schema cannot say: destinations that nobody has described, and expressions that cannot be compiled. */
function mistakesOf(
  { match, alert: wanted }: z.output<typeof rule>,
  i: number,
  destinations: Readonly<Record<string, unknown>>,
): string[] {
  const wrong: string[] = [];
  if (match !== undefined) {
    const complaint = Expression.complaint(match);
    if (complaint !== undefined) wrong.push(`rules[${i}].match: ${complaint}`);
  }
  for (const to of wanted?.to ?? [])
    if (!Object.hasOwn(destinations, to)) wrong.push(`rules[${i}].alert.to: there is no destination ${to}`);
  return wrong;
}

function complaints(issues: readonly z.core.$ZodIssue[]): string {
  return firstOf(
    issues.map(({ path, message }) => `${path.length > 0 ? z.core.toDotPath(path) : 'the file'}: ${message}`),
  );
}

const MAX_COMPLAINTS = 20;

function firstOf(lines: readonly string[]): string {
  const more = lines.length - MAX_COMPLAINTS;
  return [...lines.slice(0, MAX_COMPLAINTS), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function parseJson(text: string): unknown {
  if (text.trim() === '') throw invalid('the file is empty');
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the file.
    const at = /position (\d+)/.exec((error as Error).message)?.[1];
    const line = at === undefined ? '' : `, near line ${text.slice(0, Number(at)).split('\n').length}`;
    throw invalid(`the file is not JSON${line}`);
  }
}

function versionOf(one: z.output<typeof rule>): string {
  return createHash('sha256').update(JSON.stringify(one)).digest('hex').slice(0, 8);
}

/** A webhook's address may have a query, which often is its secret; user name and password have a place of their own. */
export function isWebhook(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === ''
  );
}
