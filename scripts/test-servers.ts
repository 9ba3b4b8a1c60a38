// `npm run test:servers` runs the tests that need a log in Redis against each server that is installed, and says which are not.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `npm run test:servers -- [options] [program …]

  Runs the tests of the log, of runs, of sign-ins and of alerts against each server in turn.

  program …  servers by path; by default those of redis-server and valkey-server that are installed
  --whole    every test, not only those that depend on the server
  --help     this text
`;

const SERVERS = ['redis-server', 'valkey-server'];
/** Where the server's own behaviour matters: its scripts, streams, announcements, replication and ACLs. */
const SUITES = [
  'shared/test/broker',
  'gateway/test/runs',
  'gateway/test/auth/store',
  'gateway/test/rules/store',
  'gateway/test/workers',
];

const { values, positionals } = readArguments();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

for (const program of positionals.length > 0 ? positionals : SERVERS) {
  const path = pathOf(program);
  if (path === undefined) {
    console.log(`servers: ${program} is not installed: skipped`);
    continue;
  }
  const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`servers: ${version}`);
  if (!passes(path)) process.exitCode = 1;
}

/** Runs the tests with `server` as the first `redis-server` on the path, which is the name that the tests start. */
function passes(server: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'llm-streamer-server-'));
  try {
    symlinkSync(server, join(folder, 'redis-server'));
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
    const tests = values.whole ? [] : ['--project', 'unit', ...SUITES];
    return spawnSync('npx', ['vitest', 'run', ...tests], { env, stdio: 'inherit' }).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pathOf(program: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' });
  return stdout.trim() === '' ? undefined : resolve(stdout.trim());
}

function readArguments() {
  try {
    return parseArgs({
      options: { whole: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
  } catch (error) {
    process.stderr.write(`test:servers: ${(error as Error).message}\n\n${HELP}`);
    return process.exit(1);
  }
}
