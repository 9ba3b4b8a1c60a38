// Reads the file of a secret at the start of a program. Errors name the variable and the file, never what the file holds.

import { readFileSync } from 'node:fs';
import { CodedError } from './errors.ts';

/** @throws CodedError `invalid_config` if the file cannot be read. */
export function readSecretFile(variable: string, path: string): string {
  try {
    // Editors and `echo` end a file with a line break, which nobody means as a part of the secret.
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CodedError('invalid_config', `${variable} ${path}: cannot be read (${code})`);
  }
}
