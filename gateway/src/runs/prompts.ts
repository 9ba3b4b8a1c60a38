// The prompts file: which tasks a run has, their prompts and models. Re-read when it changes; a broken edit is reported
// and the last good prompts stay.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';

const lane = z.strictObject({
  /** Shown as the source of its output: `llm-1`. */
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'must be 1 to 40 of a-z 0-9 _ -'),
  system: z.string().min(1).max(50_000),
  model: z.string().min(1).max(200).optional(),
  base_url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => new URL(url).username === '', 'must hold no user name or password: use key_env')
    .optional(),
  /** Name of the environment variable that holds the key: keys do not belong into this file. */
  key_env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable')
    .optional(),
  temperature: z.number().min(0).max(2).optional(),
  max_tokens: z.int().positive().optional(),
});

const promptsFile = z
  .strictObject({ tasks: z.array(lane).min(1).max(16), combiner: lane })
  .refine(
    ({ tasks, combiner }) => new Set([...tasks, combiner].map(({ name }) => name)).size > tasks.length,
    {
      error: 'every task and the combiner needs a name of its own',
    },
  );

export type LanePrompt = Readonly<z.output<typeof lane>>;

export interface PromptSet {
  readonly tasks: readonly LanePrompt[];
  readonly combiner: LanePrompt;
  /** Twelve hex digits of the content: the same prompts have the same version wherever they run. */
  readonly version: string;
}

/** Parses the file's text. @throws CodedError `invalid_prompts` that names the place. */
export function parsePrompts(text: string): PromptSet {
  const result = promptsFile.safeParse(parseJson(text));
  if (!result.success) throw new CodedError('invalid_prompts', z.prettifyError(result.error));
  const version = createHash('sha256').update(JSON.stringify(result.data)).digest('hex').slice(0, 12);
  return Object.freeze({ ...result.data, version });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError('invalid_prompts', `not JSON: ${(error as Error).message}`);
  }
}

export interface PromptsOptions {
  path: string;
  /** Says what is wrong with a set beyond its form, such as a model without a key; undefined where nothing is. */
  check?: (prompts: PromptSet) => string | undefined;
  onChange?: (prompts: PromptSet) => void;
  /** The last good prompts stay in use. */
  onBroken?: (reason: string) => void;
  /** Milliseconds between looks at the file (1000). Read, not watched: container and network mounts lose events. */
  pollMs?: number;
}

export class Prompts {
  readonly #options: PromptsOptions;
  readonly #timer: NodeJS.Timeout;
  #current: PromptSet;
  /** What the file held at the last look, good or not; a reason where it could not be read. */
  #seen: string;

  /** @throws CodedError `invalid_prompts` when the file cannot be used at the start. */
  constructor(options: PromptsOptions) {
    this.#options = options;
    this.#seen = readText(options.path);
    this.#current = this.#accept(this.#seen);
    this.#timer = setInterval(() => this.#look(), options.pollMs ?? 1_000).unref();
  }

  get current(): PromptSet {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      const text = readText(this.#options.path);
      if (text === this.#seen) return;
      this.#seen = text;
      const prompts = this.#accept(text);
      if (prompts.version === this.#current.version) return;
      this.#current = prompts;
      this.#options.onChange?.(prompts);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof UnreadableFile && this.#seen === reason) return;
      if (error instanceof UnreadableFile) this.#seen = reason;
      this.#options.onBroken?.(reason);
    }
  }

  #accept(text: string): PromptSet {
    const prompts = parsePrompts(text);
    const complaint = this.#options.check?.(prompts);
    if (complaint !== undefined) throw new CodedError('invalid_prompts', complaint);
    return prompts;
  }
}

class UnreadableFile extends CodedError {}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UnreadableFile('invalid_prompts', `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
