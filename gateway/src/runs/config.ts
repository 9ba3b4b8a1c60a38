// The environment variables of runs, as a part of the gateway's schema, and which model serves which lane.

import { fileURLToPath } from 'node:url';
import { about, flag, whole } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';
import type { LlmTarget } from '../llm/model.ts';
import { type LlmService, needsKey, SIMULATED, serviceAt } from '../llm/target.ts';
import type { LanePrompt, UpstreamPrompt } from './prompts.ts';
import { baseUrl, isKey, KEY_RULE, number, words } from './rules.ts';

export const runVariables = {
  USE_LLM_MOCK: about(flag(true), '`true` asks the built-in simulator instead of a real service.'),
  LLM_KEY: about(
    z.string().refine(isKey, KEY_RULE).optional(),
    'The key for `LLM_BASE_URL`. It is sent to no other service.',
  ),
  LLM_BASE_URL: about(
    baseUrl('LLM_KEY').default('https://api.openai.com/v1'),
    'The service of the models; it must speak the OpenAI protocol. A task of the prompts file may name another.',
  ),
  LLM_MODEL: about(words(200).default('gpt-4o-mini'), 'The model, for tasks that name none.'),
  PROMPTS_FILE: about(
    z.string().default(fileURLToPath(new URL('../../prompts.json', import.meta.url))),
    'The file with tasks, prompts and models, and the upstreams of OpenAI clients; see [Prompts](runs.md#prompts) and [Upstreams](openai.md#upstreams). A change of the file takes effect at once.',
  ),
  RUN_TIMEOUT_MS: about(
    whole(120_000, 1_000, 3_600_000),
    'Time that a run may take. Each task may take 60 % of it, and the combiner what is left.',
    { alias: 'SSE_TIMEOUT' },
  ),
  LLM_FIRST_CONTENT_TIMEOUT_MS: about(
    whole(20_000, 100, 600_000),
    "Time until the first content of a model's answer, connecting included.",
  ),
  LLM_CHUNK_TIMEOUT_MS: about(whole(15_000, 100, 600_000), "Time between two pieces of a model's answer."),
  LLM_RETRIES: about(
    whole(2, 0, 10),
    'How often a failed call is repeated, if it failed before its first content. 0 repeats none.',
  ),
  LLM_CONTEXT_TOKENS: about(
    whole(3_000, 0, 1_000_000),
    'How much of the conversation so far the models are given, in tokens. 0 gives them nothing of it.',
  ),
  LOG_CONTENT: about(
    flag(false),
    '`true` puts the texts of the messages into the entries about model calls, also of those that other programs report by OpenTelemetry. Of runs that belong to somebody (`AUTH`) these never hold texts.',
  ),
  MAX_RUNS: about(
    whole(500, 1, 100_000),
    'Runs at a time, in one process. A person, a key or an address may have half of what the others leave.',
  ),
  RATE_LIMIT_BURST: about(
    whole(3, 1, 10_000),
    'Runs that one address may start in a window of `RATE_LIMIT_BURST` / `RATE_LIMIT_PER_SECOND` seconds, at least one: 3 and 1 allow 3 runs in 3 seconds. An IPv6 network of 64 bits counts as one address.',
  ),
  RATE_LIMIT_PER_SECOND: about(
    z
      .string()
      .transform((text) => (text.trim() === '' ? Number.NaN : Number(text)))
      .pipe(number('a number', 0, 10_000))
      .default(1),
    'Runs per second that this amounts to. 0 turns the limit off.',
  ),
};

export type RunVariables = z.output<z.ZodObject<typeof runVariables>>;

/** Finds the model that serves a lane: by the settings of the lane in the prompts file, else by the environment. */
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
    // LLM_KEY is for the default service. It is sent to no other.
    const key = lane.key_env ? this.#secret(lane.key_env) : lane.base_url ? undefined : LLM_KEY;
    return { ...serviceAt(lane.base_url ?? LLM_BASE_URL, key), model: lane.model ?? LLM_MODEL };
  }

  /** The service of the models, for calls that name their model themselves. */
  get standard(): LlmService {
    const { USE_LLM_MOCK, LLM_BASE_URL, LLM_KEY } = this.#variables;
    return USE_LLM_MOCK ? SIMULATED : serviceAt(LLM_BASE_URL, LLM_KEY);
  }

  /** Says which keys are missing that upstreams name; `undefined` if none is. */
  missingKey(upstreams: readonly UpstreamPrompt[]): string | undefined {
    const complaints = upstreams.flatMap(({ name, key_env }) => {
      if (key_env === undefined) return [];
      const key = this.#secret(key_env);
      if (key === undefined || key === '') return [`upstream ${name}: ${key_env} is not set`];
      return isKey(key) ? [] : [`upstream ${name}: ${key_env} ${KEY_RULE}`];
    });
    return complaints.length > 0 ? complaints.join('; ') : undefined;
  }

  /** Says what is missing to serve these lanes; `undefined` if nothing is. */
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
