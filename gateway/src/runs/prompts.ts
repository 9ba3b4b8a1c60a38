// The prompts file: which tasks a run has, with their prompts and models, which services OpenAI clients reach, and what models cost.

import { createHash } from 'node:crypto';
import type { Prices } from '@llm-streamer/shared/api-types.ts';
import { z } from 'zod';
import { WatchedFile, type WatchedFileOptions } from '../watched-file.ts';
import { object, parseFile } from './json-file.ts';
import { NO_PRICES, prices } from './prices.ts';
import { baseUrl, number, words } from './rules.ts';

const MAX_TASKS = 16;
const MAX_UPSTREAMS = 32;
const NAME_RULE = 'must be 1 to 40 of a-z 0-9 _ -';
const VARIABLE_RULE = 'must be the name of an environment variable, like OTHER_KEY';
const UPSTREAMS_RULE = `must be a list of at most ${MAX_UPSTREAMS} upstreams`;
const TASKS_RULE = `must be a list of 1 to ${MAX_TASKS} tasks`;

/** Shown as a source: `llm-1`. */
export const laneName = z.string(NAME_RULE).regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, NAME_RULE);

export const variable = z.string(VARIABLE_RULE).regex(/^[A-Z][A-Z0-9_]*$/, VARIABLE_RULE);

export const laneShape = {
  name: laneName,
  system: words(50_000),
  model: words(200).optional(),
  base_url: baseUrl('key_env').optional(),
  /** The name of the environment variable with the key. Keys do not belong in this file. */
  key_env: variable.optional(),
  temperature: number('a number', 0, 2).optional(),
  max_tokens: number('a whole number', 1, 10_000_000).optional(),
};

const lane = object(laneShape, 'must be an object with name and system');

/** A service for the calls of OpenAI clients. */
const upstream = object(
  {
    /** The beginning of a model's name, before a slash; `default` serves all that begin with no other's. */
    name: laneName,
    base_url: baseUrl('key_env'),
    key_env: variable.optional(),
  },
  'must be an object with name and base_url',
);

const promptsFile = object(
  {
    tasks: z.array(lane, TASKS_RULE).min(1, TASKS_RULE).max(MAX_TASKS, TASKS_RULE),
    combiner: lane,
    upstreams: z.array(upstream, UPSTREAMS_RULE).max(MAX_UPSTREAMS, UPSTREAMS_RULE).optional(),
    prices: prices.optional(),
  },
  'must be an object with tasks and combiner',
)
  .refine(
    ({ tasks, combiner }) => namesOf([...tasks, combiner]).size > tasks.length,
    'every task and the combiner needs a name of its own',
  )
  .refine(
    ({ upstreams = [] }) => namesOf(upstreams).size === upstreams.length,
    'every upstream needs a name of its own',
  );

function namesOf(named: readonly { name: string }[]): Set<string> {
  return new Set(named.map(({ name }) => name));
}

export type LanePrompt = Readonly<z.output<typeof lane>>;
export type UpstreamPrompt = Readonly<z.output<typeof upstream>>;

export interface PromptSet {
  readonly tasks: readonly LanePrompt[];
  readonly combiner: LanePrompt;
  readonly upstreams: readonly UpstreamPrompt[];
  readonly prices: Prices;
  /** Twelve hex digits of tasks and combiner: the same prompts have the same version wherever they run. */
  readonly version: string;
}

/** Parses the file's text. @throws CodedError `invalid_prompts` that names the place. */
export function parsePrompts(text: string): PromptSet {
  const { upstreams = [], prices = NO_PRICES, ...prompts } = parseFile(text, promptsFile, 'invalid_prompts');
  const version = createHash('sha256').update(JSON.stringify(prompts)).digest('hex').slice(0, 12);
  return Object.freeze({ ...prompts, upstreams, prices, version });
}

export type PromptsOptions = Omit<WatchedFileOptions<PromptSet>, 'parse' | 'code' | 'lastGood'>;

export class Prompts extends WatchedFile<PromptSet> {
  /** @throws CodedError `invalid_prompts` if the file is not valid, `invalid_config` if `check` finds something wrong. */
  constructor(options: PromptsOptions) {
    super({ ...options, code: 'invalid_prompts', parse: parsePrompts });
  }
}
