// `npm run agents`: checks an agents file with its servers, and calls a tool.

import { loadDotEnv } from '@llm-streamer/shared/config.ts';
import { runAgentsCommand } from './agents-command.ts';

loadDotEnv();
process.exitCode = await runAgentsCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
