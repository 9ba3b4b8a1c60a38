// The command line of the producer. A signal stops it cleanly: it publishes its remaining entries first, for a few seconds at most.

import { loadDotEnv } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { oneLine, onUncaught } from '@llm-streamer/shared/uncaught.ts';
import { usage } from './arguments.ts';
import { pipe } from './pipe.ts';
import { simulate } from './simulate.ts';

const HELP = `LLM Streamer's writers

  npm run simulate -- [options]             a simulated LLM backend
  some program 2>&1 | npm run -s pipe -- [options]   any program's output

  npm run simulate -- --help
  npm run -s pipe -- --help

Both publish to REDIS_URL (NAMESPACE), or to GATEWAY_URL where REDIS_URL is not set; when both are set, REDIS_URL wins.
A gateway that asks for a key gets that of GATEWAY_KEY, or of the file GATEWAY_KEY_FILE.
Also read: LOG_LEVEL (info), ENTRY_BYTES (65536). A .env file of the working folder is read if there is one.
`;

/** How long publishing the remaining entries may take after an uncaught error; longer than after a signal. */
const LAST_MS = 5_000;

const commands = new Map(Object.entries({ simulate, pipe }));

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const command = commands.get(name);
  if (!command) throw usage(`unknown command ${JSON.stringify(name)}: use simulate or pipe; see --help`);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  onUncaught(complain, () => stop.abort(), LAST_MS);
  loadDotEnv();
  return command(args, stop.signal);
}

function complain(line: string): void {
  process.stderr.write(`producer: ${line}\n`);
}

try {
  const code = await main(process.argv.slice(2));
  process.exitCode ||= code;
} catch (error) {
  const isUsage = error instanceof CodedError;
  for (const line of isUsage ? error.message.split('\n') : [oneLine(error)]) complain(line);
  process.exitCode = isUsage ? 2 : 1;
}
process.exit();
