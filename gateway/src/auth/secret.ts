// A secret that is configured as a text, or as the name of a file. Errors name the variable, never what it holds.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { readSecretFile } from '@llm-streamer/shared/secret-file.ts';

const MAX_BYTES = 65_536;

/** @throws CodedError `invalid_config` if the file cannot be read, or holds too little or too much. */
export function secretOf(
  name: string,
  text: string | undefined,
  file: string | undefined,
  minBytes: number,
): string {
  const secret = text ?? readSecretFile(`${name}_FILE`, file ?? '');
  const bytes = Buffer.byteLength(secret);
  if (bytes >= minBytes && bytes <= MAX_BYTES) return secret;
  const from = text === undefined ? `${name}_FILE` : name;
  throw new CodedError('invalid_config', `${from}: the secret must have ${minBytes} to ${MAX_BYTES} bytes`);
}
