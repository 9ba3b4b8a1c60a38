// The environment of processing runs: a fragment of the gateway's schema, and what follows from it.

import { fileURLToPath } from 'node:url';
import { flag, whole } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';
import type { LlmTarget } from '../llm/model.ts';
import { needsKey, providerOf, SIMULATED } from '../llm/target.ts';
import type { LanePrompt } from './prompts.ts';
import { baseUrl, isKey, KEY_RULE, number, words } from './rules.ts';

export const runVariables = {
  USE_LLM_MOCK: flag(true),
  LLM_KEY: z.string().refine(isKey, KEY_RULE).optional(),
  LLM_BASE_URL: baseUrl('LLM_KEY').default('https://api.openai.com/v1'),
  LLM_MODEL: words(200).default('gpt-4o-mini'),
  PROMPTS_FILE: z.string().default(fileURLToPath(new URL('../../prompts.json', import.meta.url))),
  /** Milliseconds a run may take. */
  SSE_TIMEOUT: whole(120_000, 1_000, 3_600_000),
  /** Milliseconds until a model's first content, connecting included. */
  LLM_FIRST_CONTENT_TIMEOUT: whole(20_000, 100, 600_000),
  /** Milliseconds between two chunks. */
  LLM_CHUNK_TIMEOUT: whole(15_000, 100, 600_000),
  /** Further attempts before the first content; 0 for none. */
  LLM_RETRIES: whole(2, 0, 10),
  /** Tokens of a conversation's past that the models are given; 0 for none. */
  LLM_CONTEXT_TOKENS: whole(3_000, 0, 1_000_000),
  /** Tokens in one chunk of the simulator. */
  LLM_SIM_CHUNK: whole(2, 1, 1_000),
  /** Mean milliseconds per token of the simulator. */
  LLM_SIM_DELAY: whole(20, 0, 10_000),
  /** Message texts in the log of model calls. */
  LOG_CONTENT: flag(false),
  /** Runs that one gateway runs at a time. */
  MAX_RUNS: whole(500, 1, 100_000),
  /** Runs one address may start in a burst, and then per second; 0 per second turns the limit off. */
  RATE_LIMIT_BURST: whole(3, 1, 10_000),
  RATE_LIMIT_PER_SECOND: z
    .string()
    .transform((text) => (text.trim() === '' ? Number.NaN : Number(text)))
    .pipe(number('a number', 0, 10_000))
    .default(1),
};

export type RunVariables = z.output<z.ZodObject<typeof runVariables>>;

/** Which model serves a lane: the lane's own settings, else the environment's. */
export class Targets {
  readonly #variables: Pick<RunVariables, 'USE_LLM_MOCK' | 'LLM_KEY' | 'LLM_BASE_URL' | 'LLM_MODEL'>;
  readonly #secret: (name: string) => string | undefined;

  /** @param secret reads the variables that the prompts file names with `key_env`. */
  constructor(
    variables: Pick<RunVariables, 'USE_LLM_MOCK' | 'LLM_KEY' | 'LLM_BASE_URL' | 'LLM_MODEL'>,
    secret: (name: string) => string | undefined,
  ) {
    this.#variables = variables;
    this.#secret = secret;
  }

  of(lane: LanePrompt): LlmTarget {
    const { USE_LLM_MOCK, LLM_BASE_URL, LLM_MODEL, LLM_KEY } = this.#variables;
    if (USE_LLM_MOCK) return { ...SIMULATED, model: lane.model ?? 'sim-1' };
    const baseUrl = (lane.base_url ?? LLM_BASE_URL).replace(/\/+$/, '');
    // Another service never gets the key that was meant for the default one.
    const key = lane.key_env ? this.#secret(lane.key_env) : lane.base_url ? undefined : LLM_KEY;
    return {
      provider: providerOf(baseUrl),
      baseUrl,
      model: lane.model ?? LLM_MODEL,
      ...(key !== undefined && key !== '' && { key }),
    };
  }

  /** What is missing for these lanes to be served; `undefined` where nothing is. */
  complaint(lanes: readonly LanePrompt[]): string | undefined {
    if (this.#variables.USE_LLM_MOCK) return undefined;
    const byReason = Map.groupBy(lanes, (lane) => this.#lacks(lane));
    byReason.delete(undefined);
    if (byReason.size === 0) return undefined;
    return [...byReason]
      .map(([reason, affected]) => `${affected.map(({ name }) => name).join(', ')}: ${reason}`)
      .join('; ');
  }

  #lacks(lane: LanePrompt): string | undefined {
    const { baseUrl, key } = this.of(lane);
    if (key !== undefined) return isKey(key) ? undefined : `${lane.key_env ?? 'LLM_KEY'} ${KEY_RULE}`;
    if (lane.key_env) return `${lane.key_env} is not set`;
    if (!needsKey(baseUrl)) return undefined;
    const name = lane.base_url ? 'key_env in the prompts file' : 'LLM_KEY';
    const { host } = new URL(baseUrl);
    return `${host} asks for a key and ${name} is not set; set it, or USE_LLM_MOCK=true for simulated models`;
  }
}
