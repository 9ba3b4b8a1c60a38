// Which service answers a call: by the beginning of the model's name, among those that the operator has named, and no other. So
// nobody can make the gateway call an address of his choice.

import { type LlmService, serviceAt } from '../llm/target.ts';
import type { UpstreamPrompt } from '../runs/prompts.ts';

/** The upstream for models that begin with no other's name. */
const DEFAULT_UPSTREAM = 'default';

export interface Choice {
  upstream: LlmService;
  /** As the upstream knows it: without the upstream's name. */
  model: string;
}

export class Upstreams {
  readonly #named: () => readonly UpstreamPrompt[];
  readonly #otherwise: LlmService;
  readonly #secret: (name: string) => string | undefined;

  /**
   * @param named those of the prompts file, which may change. @param otherwise serves where none of them is the default.
   * @param secret reads the variables that the prompts file names with `key_env`.
   */
  constructor(
    named: () => readonly UpstreamPrompt[],
    otherwise: LlmService,
    secret: (name: string) => string | undefined,
  ) {
    this.#named = named;
    this.#otherwise = otherwise;
    this.#secret = secret;
  }

  /** `groq/llama-3.3` is the model `llama-3.3` of the upstream `groq`; any other name is for the default one, as it is. */
  choose(model: string): Choice {
    const slash = model.indexOf('/');
    const prefixed = slash < 0 ? undefined : this.#find(model.slice(0, slash));
    if (prefixed !== undefined) return { upstream: this.#of(prefixed), model: model.slice(slash + 1) };
    const standard = this.#find(DEFAULT_UPSTREAM);
    return { upstream: standard ? this.#of(standard) : this.#otherwise, model };
  }

  #find(name: string): UpstreamPrompt | undefined {
    return this.#named().find((one) => one.name === name);
  }

  /** A service that no well-known name fits is called as the operator calls it, rather than by its host. */
  #of({ name, base_url, key_env }: UpstreamPrompt): LlmService {
    const service = serviceAt(base_url, key_env === undefined ? undefined : this.#secret(key_env));
    const isUnknown = service.provider === new URL(service.baseUrl).hostname;
    return isUnknown && name !== DEFAULT_UPSTREAM ? { ...service, provider: name } : service;
  }
}
