// What the commands for people and keys have in common: the words of a command, the store that they write, and one line for each error.
// Whoever may run them on this machine may do everything: access to the store is the authority.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { loadDotEnv } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { oneLine } from '@llm-streamer/shared/uncaught.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { readAuthStoreConfig } from '../store/config.ts';
import { keepsPeople, openAuthStore } from '../store/open-auth-store.ts';

export type StoreConfig = ReturnType<typeof readAuthStoreConfig>;

export interface CommandContext {
  store: AuthStore;
  config: StoreConfig;
  /** What another program may read, such as a new key or a list. */
  print(text: string): void;
  /** What a person should know. */
  say(text: string): void;
}

export type Command = (args: readonly string[], context: CommandContext) => Promise<void>;

/** Something that the person has to write differently. */
export function usage(message: string): CodedError {
  return new CodedError('usage', message);
}

/** Something that is not as the command needs it, such as a name that nobody has. */
export function failure(message: string): CodedError {
  return new CodedError('failure', message);
}

/** Exactly `words` words, and options. @throws CodedError `usage` */
export function parse<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  words: readonly string[],
  options: T,
): { words: string[]; values: ReturnType<typeof parseArgs<{ options: T }>>['values'] } {
  let parsed: { positionals: string[]; values: ReturnType<typeof parseArgs<{ options: T }>>['values'] };
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split(/\.?(?:\n|\. |$)/);
    throw usage(`${sentence}; see --help`);
  }
  const { positionals, values } = parsed;
  const missing = words[positionals.length];
  if (missing !== undefined) throw usage(`${missing} is missing; see --help`);
  if (positionals.length > words.length)
    throw usage(`${positionals[words.length]}: one word too many; see --help`);
  return { words: positionals, values };
}

/** Runs the command that `argv` names, and sets the exit code: 2 for what was written wrongly, 1 for what failed. */
export async function runCommands(
  program: string,
  help: string,
  commands: ReadonlyMap<string, Command>,
  [name, ...args]: readonly string[],
): Promise<void> {
  try {
    if (name === undefined || [name, ...args].some((word) => word === '--help' || word === '-h')) {
      process.stdout.write(help);
      process.exitCode = name === undefined ? 2 : 0;
      return;
    }
    const command = commands.get(name);
    if (command === undefined)
      throw usage(`unknown command ${JSON.stringify(name)}: use ${[...commands.keys()].join(', ')}`);
    await withStore((context) => command(args, context));
  } catch (error) {
    const coded = error instanceof CodedError;
    for (const line of (coded ? error.message : oneLine(error)).split('\n'))
      process.stderr.write(`${program}: ${line}\n`);
    process.exitCode = coded && ['usage', 'invalid_config', 'invalid_acl'].includes(error.code) ? 2 : 1;
  }
}

async function withStore(use: (context: CommandContext) => Promise<void>): Promise<void> {
  loadDotEnv();
  const config = readAuthStoreConfig();
  if (!keepsPeople(config))
    throw new CodedError(
      'invalid_config',
      'neither REDIS_URL nor AUTH_FILE is set: give what the gateway has, so that both use the same people and keys',
    );
  const store = await openAuthStore(config);
  try {
    await use({
      store,
      config,
      print: (text) => process.stdout.write(`${text}\n`),
      say: (text) => process.stderr.write(`${text}\n`),
    });
  } finally {
    await store.close();
  }
}
