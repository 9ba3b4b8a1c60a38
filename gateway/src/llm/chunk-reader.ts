// Brings the chunks of an answer into the form that the client library expects: choice 0 alone, its text in `delta`, and calls of
// tools only if some are offered; `hasToolCall` says whether the model called one that was not. Most chunks already have this form,
// and are passed on without parsing.

export const SENTINEL = '[DONE]';

const UNUSUAL =
  /"(?:message|tool_calls|function_call)"\s*:|"index"\s*:\s*[1-9]|"finish_reason"\s*:\s*"(?:max_tokens|safety)"/i;

/** What services of other protocols call the ends of theirs, in lower case. */
const FINISH_REASONS: Readonly<Record<string, string>> = { max_tokens: 'length', safety: 'content_filter' };

type Json = Record<string, unknown>;

export class ChunkReader {
  readonly #offersTools: boolean;
  #hasToolCall = false;

  constructor(offersTools = false) {
    this.#offersTools = offersTools;
  }

  /** Whether the model has called a tool that it was not offered. */
  get hasToolCall(): boolean {
    return this.#hasToolCall;
  }

  /** A chunk of a stream. */
  chunk(data: string): string {
    return UNUSUAL.test(data) ? this.#mended(data, {}) : data;
  }

  /** An answer that is not streamed. It is complete, even if it gives no reason for its end. */
  whole(data: string): string {
    return this.#mended(data, { finish_reason: 'stop' });
  }

  #mended(data: string, defaults: Json): string {
    try {
      const parsed: unknown = JSON.parse(data);
      if (!isObject(parsed) || !Array.isArray(parsed.choices)) return data;
      const choice = parsed.choices.find((each) => isObject(each) && (each.index ?? 0) === 0);
      return JSON.stringify({ ...parsed, choices: choice ? [this.#choice(choice, defaults)] : [] });
    } catch {
      return data; // the client library reports what is wrong with it
    }
  }

  #choice({ message, delta = message, ...choice }: Json, defaults: Json): Json {
    const given: Json = Object.fromEntries(Object.entries(choice).filter(([, value]) => value !== null));
    const reason = typeof given.finish_reason === 'string' ? given.finish_reason : '';
    const meant = FINISH_REASONS[reason.toLowerCase()];
    if (meant !== undefined) given.finish_reason = meant;
    if (!isObject(delta)) return { ...defaults, ...given };
    const { tool_calls, function_call, ...said } = delta;
    const hasCalls = Array.isArray(tool_calls) && tool_calls.length > 0;
    this.#hasToolCall ||= (hasCalls && !this.#offersTools) || isObject(function_call);
    const calls = hasCalls && this.#offersTools && { tool_calls };
    return { ...defaults, ...given, delta: { ...said, ...calls } };
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
