// Installs the locked dependencies, Node 24 among them, if they are missing or older than the lock file. Runs on any Node >= 18.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const installed = `${root}node_modules/.package-lock.json`; // npm writes it last, so an install that was cut off leaves none
const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

if (modified(installed) < modified(`${root}package-lock.json`)) {
  console.log('setup: npm ci (once, and after each change of package-lock.json)');
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.env.npm_node_execpath ?? process.execPath, [npm]] : ['npm', []];
  const install = spawnSync(command, [...args, 'ci', '--loglevel=error'], { cwd: root, stdio: 'inherit' });
  if (install.status !== 0) process.exit(install.status ?? 1);
}

const version = spawnSync('node', ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '';
if (Number.parseInt(version, 10) < 24) {
  console.error(
    `setup: no bundled Node for ${process.platform}-${process.arch}; install Node >= 24 and try again`,
  );
  process.exit(1);
}
