// The environment variables of agents and their tools, as a part of the gateway's schema, and what the agents file needs besides itself.

import { fileURLToPath } from 'node:url';
import { about } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';
import { isKey, KEY_RULE } from '../runs/rules.ts';
import type { Servers } from './agents-file.ts';
import { TOKEN_SECRET_BYTES } from './service-token.ts';

export const toolVariables = {
  AGENTS_FILE: about(
    z.string().default(fileURLToPath(new URL('../../agents.json', import.meta.url))),
    'The file with agents and the servers of their tools; see [Tools](tools.md#the-agents-file). A change of the file takes effect at once.',
  ),
};

/**
 * Says which secrets are missing that servers name; `undefined` if none is.
 * @param secret reads the variables that the file names with `token_env`
 */
export function missingSecret(
  servers: Servers,
  secret: (name: string) => string | undefined,
): string | undefined {
  const complaints = [...servers].flatMap(([name, { token_env: variable, token }]) => {
    if (variable === undefined) return [];
    const value = secret(variable) ?? '';
    if (value === '') return [`server ${name}: ${variable} is not set`];
    if (token === 'bearer') return isKey(value) ? [] : [`server ${name}: ${variable} ${KEY_RULE}`];
    if (Buffer.byteLength(value) >= TOKEN_SECRET_BYTES) return [];
    return [`server ${name}: ${variable} must have at least ${TOKEN_SECRET_BYTES} bytes to sign tokens`];
  });
  return complaints.length > 0 ? complaints.join('; ') : undefined;
}
