// Reads a secret that is configured as a text, or as the name of a file, when the gateway starts. Errors name the variable, never
// what it holds.

import { readFileSync } from 'node:fs';
import { CodedError } from '@llm-streamer/shared/errors.ts';

const MAX_BYTES = 65_536;

/** @throws CodedError `invalid_config` if the file cannot be read, or holds too little or too much. */
export function secretOf(
  name: string,
  text: string | undefined,
  file: string | undefined,
  minBytes: number,
): string {
  const secret = text ?? contentOf(`${name}_FILE`, file ?? '');
  const bytes = Buffer.byteLength(secret);
  if (bytes >= minBytes && bytes <= MAX_BYTES) return secret;
  const from = text === undefined ? `${name}_FILE` : name;
  throw new CodedError('invalid_config', `${from}: the secret must have ${minBytes} to ${MAX_BYTES} bytes`);
}

function contentOf(name: string, file: string): string {
  try {
    // Editors and `echo` end a file with a line break, which nobody means as a part of the secret.
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'no text';
    throw new CodedError('invalid_config', `${name}: the file cannot be read (${reason})`, { cause: error });
  }
}
