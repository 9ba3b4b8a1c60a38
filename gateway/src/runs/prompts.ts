// The prompts file: which tasks a run has, their prompts and models. Re-read when it changes; a broken edit is reported
// and the last good prompts stay.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { baseUrl, number, words } from './rules.ts';

const MAX_TASKS = 16;
const NAME_RULE = 'must be 1 to 40 of a-z 0-9 _ -';
const VARIABLE_RULE = 'must be the name of an environment variable, like OTHER_KEY';
const TASKS_RULE = `must be a list of 1 to ${MAX_TASKS} tasks`;

/** These fields and no others: a misspelt one would silently change nothing. */
const object = <Shape extends z.ZodRawShape>(shape: Shape, rule: string) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown ${issue.keys.join(', ')}; known are ${Object.keys(shape).join(', ')}`
        : rule,
  });

const lane = object(
  {
    /** Shown as the source of its output: `llm-1`. */
    name: z.string(NAME_RULE).regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, NAME_RULE),
    system: words(50_000),
    model: words(200).optional(),
    base_url: baseUrl('key_env').optional(),
    /** Name of the environment variable that holds the key: keys do not belong into this file. */
    key_env: z
      .string(VARIABLE_RULE)
      .regex(/^[A-Z][A-Z0-9_]*$/, VARIABLE_RULE)
      .optional(),
    temperature: number('a number', 0, 2).optional(),
    max_tokens: number('a whole number', 1, 10_000_000).optional(),
  },
  'must be an object with name and system',
);

const promptsFile = object(
  { tasks: z.array(lane, TASKS_RULE).min(1, TASKS_RULE).max(MAX_TASKS, TASKS_RULE), combiner: lane },
  'must be an object with tasks and combiner',
).refine(
  ({ tasks, combiner }) => new Set([...tasks, combiner].map(({ name }) => name)).size > tasks.length,
  'every task and the combiner needs a name of its own',
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
  if (!result.success)
    throw new CodedError('invalid_prompts', result.error.issues.map(complaintOf).join('; '));
  const version = createHash('sha256').update(JSON.stringify(result.data)).digest('hex').slice(0, 12);
  return Object.freeze({ ...result.data, version });
}

function complaintOf({ path, message }: z.core.$ZodIssue): string {
  return `${path.length > 0 ? z.core.toDotPath(path) : 'the file'}: ${message}`;
}

function parseJson(text: string): unknown {
  if (text.trim() === '') throw new CodedError('invalid_prompts', 'the file is empty');
  try {
    return JSON.parse(text);
  } catch (error) {
    const line = lineOf(error as Error, text);
    throw new CodedError('invalid_prompts', `not JSON, near line ${line}`);
  }
}

/** Where the parser stopped. Its own sentence quotes the file, and prompts stay out of logs. */
function lineOf({ message }: Error, text: string): string | number {
  const told = /\(line (\d+) /.exec(message)?.[1];
  if (told !== undefined) return told;
  const around = / (?:\.\.\.)?"(.*)"(?:\.\.\.)? is not valid JSON$/s.exec(message)?.[1];
  const until = around === undefined ? text.length : text.indexOf(around) + around.length / 2;
  return text.slice(0, until).split('\n').length;
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

  /** @throws CodedError at the start: `invalid_prompts` for the file, `invalid_config` for what `check` says of it. */
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
    if (complaint !== undefined) throw new CodedError('invalid_config', complaint);
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
