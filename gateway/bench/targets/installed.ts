// Whether a program is on this machine. The benchmark installs nothing.

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of daemons, which are often missing in a user's PATH. */
const FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(
  delimiter,
);

export function findProgram(name: string): string | undefined {
  return FOLDERS.split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function findFile(...candidates: string[]): string | undefined {
  return candidates.find((path) => existsSync(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // it does not exist, or may not be run
  }
}
