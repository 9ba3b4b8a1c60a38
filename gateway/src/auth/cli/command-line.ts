// What the commands for people and keys have in common: the words of a command, the store that they write, and one line for each error.
// Whoever may run them on this machine may do everything: access to the store is the authority.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { loadDotEnv } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { oneLine } from '@llm-streamer/shared/uncaught.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { readAuthStoreConfig } from '../store/config.ts';
import { keepsPeople, openAuthStore } from '../store/open-auth-store.ts';
import { CliAudit } from './cli-audit.ts';

export type StoreConfig = ReturnType<typeof readAuthStoreConfig>;

/** What a command has that needs no store. */
export interface Surroundings {
  config: StoreConfig;
  /** What another program may read, such as a new key or a list. */
  print(text: string): void;
  /** What a person should know. */
  say(text: string): void;
}

export interface CommandContext extends Surroundings {
  store: AuthStore;
  audit: Pick<CliAudit, 'event'>;
}

const WRITTEN_WRONGLY = ['usage', 'invalid_config', 'invalid_acl'];

export type Command = (args: readonly string[], context: CommandContext) => Promise<void>;
export type StorelessCommand = (args: readonly string[], surroundings: Surroundings) => Promise<void>;

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

/** A program of several commands. */
export interface Program {
  name: string;
  help: string;
  commands: ReadonlyMap<string, Command>;
  /** These work also where neither REDIS_URL nor AUTH_FILE is set. */
  storeless?: ReadonlyMap<string, StorelessCommand>;
}

export interface Environment {
  /** The environment; by default that of this process. */
  env?: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}

/** Runs the command that `argv` names. Returns the exit code: 2 for what was written wrongly, 1 for what failed. */
export async function runProgram(
  program: Program,
  [name, ...args]: readonly string[],
  around: Environment,
): Promise<number> {
  const { help, commands, storeless = new Map<string, StorelessCommand>() } = program;
  try {
    if (name === undefined || [name, ...args].some((word) => word === '--help' || word === '-h')) {
      around.out(help);
      return name === undefined ? 2 : 0;
    }
    const command = commands.get(name);
    const other = storeless.get(name);
    if (command !== undefined) await withStore(surroundings(around), (context) => command(args, context));
    else if (other !== undefined) await other(args, surroundings(around));
    else {
      const known = [...commands.keys(), ...storeless.keys()].join(', ');
      throw usage(`unknown command ${JSON.stringify(name)}: use ${known}`);
    }
    return 0;
  } catch (error) {
    const coded = error instanceof CodedError;
    for (const line of (coded ? error.message : oneLine(error)).split('\n'))
      around.err(`${program.name}: ${line}\n`);
    return coded && WRITTEN_WRONGLY.includes(error.code) ? 2 : 1;
  }
}

/** The same for this process. */
export async function main(program: Program): Promise<void> {
  loadDotEnv();
  process.exitCode = await runProgram(program, process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  });
}

/** @throws CodedError `invalid_config` */
function surroundings({ env, out, err }: Environment): Surroundings {
  return {
    config: readAuthStoreConfig(env),
    print: (text) => out(`${text}\n`),
    say: (text) => err(`${text}\n`),
  };
}

async function withStore(
  around: Surroundings,
  use: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { config, say } = around;
  if (!keepsPeople(config))
    throw new CodedError(
      'invalid_config',
      'neither REDIS_URL nor AUTH_FILE is set: give what the gateway has, so that both use the same people and keys: export REDIS_URL=redis://…',
    );
  const store = await openAuthStore(config);
  const audit = new CliAudit(config);
  try {
    await use({ ...around, store, audit });
  } finally {
    await store.close();
    // The change is made already, so that this is no failure of the command.
    await audit.write().catch((error) => say(`it could not be written to audit:auth: ${oneLine(error)}`));
  }
}
