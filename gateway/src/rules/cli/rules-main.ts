// `npm run rules`: checks a rules file, and tests its destinations.

import { loadDotEnv } from '@llm-streamer/shared/config.ts';
import { runRulesCommand } from './rules-command.ts';

loadDotEnv();
const lines = process.stdin.isTTY ? undefined : process.stdin;
process.exitCode = await runRulesCommand(process.argv.slice(2), {
  input: lines,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
