// Installs the locked dependencies, Node 24 among them, if they are missing or older than the lock file, and with --page builds the
// page if there is none. Runs on any Node >= 18, before each command with which somebody may begin in a fresh clone. So it reads
// nothing of stdin, which is the command's, and writes to stderr alone, because stdout may be a file that is to hold a key.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const installed = `${root}node_modules/.package-lock.json`; // npm writes it last, so an install that was cut off leaves none
const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

if (modified(installed) < modified(`${root}package-lock.json`)) {
  console.error('setup: npm ci (once, and after each change of package-lock.json)');
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.env.npm_node_execpath ?? process.execPath, [npm]] : ['npm', []];
  run(command, [...args, 'ci', '--loglevel=error']);
}

// In the scripts of npm `node` is the one that was installed, also where an older one runs this file.
const versionOfNode = () =>
  spawnSync('node', ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '';
if (Number.parseInt(process.versions.node, 10) < 24 && Number.parseInt(versionOfNode(), 10) < 24) {
  console.error(
    `setup: no bundled Node for ${process.platform}-${process.arch}; install Node >= 24 and try again`,
  );
  process.exit(1);
}

if (process.argv.includes('--page') && !existsSync(`${root}dashboard/dist/index.html`)) {
  console.error('setup: building the page (npx vite build dashboard builds it anew)');
  run('vite', ['build', 'dashboard', '--logLevel', 'warn']);
}
