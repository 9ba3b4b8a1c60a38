// The variables of the producer: where entries go, and how large they may be. No other file of the producer reads the environment.

import {
  about,
  authModeVariable,
  brokerVariables,
  readConfig,
  retentionVariables,
} from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { readSecretFile } from '@llm-streamer/shared/secret-file.ts';
import { z } from 'zod';

const GATEWAY_RULE = 'must look like http://host:port[/base], without user, password, query or fragment';

function isBare(url: string): boolean {
  const { username, password, search, hash } = new URL(url);
  return username === '' && password === '' && search === '' && hash === '';
}

const KEY_RULE = 'must be a key or token: up to 8192 letters, digits and signs, without spaces';
const KEY = /^[\x21-\x7e]{1,8192}$/;

/** The variables that only producers read. */
export const producerVariables = {
  GATEWAY_URL: about(
    z
      .url({ protocol: /^https?$/, error: GATEWAY_RULE, abort: true })
      .refine(isBare, { error: GATEWAY_RULE })
      .optional(),
    'The gateway to which a producer publishes over HTTP. Where `REDIS_URL` is set, too, it publishes to Redis instead.',
  ),
  GATEWAY_KEY: about(
    z.string().regex(KEY, KEY_RULE).optional(),
    'The key with which a producer publishes to a gateway that asks for one (`npm run keys -- add`). A gateway that refuses it ends the producer.',
  ),
  GATEWAY_KEY_FILE: about(
    z.string().optional(),
    'Instead of `GATEWAY_KEY`: a file that holds the key. It is read at the start.',
  ),
};

const variables = { ...brokerVariables, ...authModeVariable, ...retentionVariables, ...producerVariables };

/** `GATEWAY_KEY` may come from the file. */
export type ProducerConfig = ReturnType<typeof readConfig<typeof variables>>;

/** @throws CodedError `invalid_config`, also if neither REDIS_URL nor GATEWAY_URL is set. */
export function readProducerConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProducerConfig {
  const config = readConfig(variables, env);
  if (config.REDIS_URL === undefined && config.GATEWAY_URL === undefined)
    throw new CodedError(
      'invalid_config',
      'nowhere to publish: set REDIS_URL (redis://127.0.0.1:6379) or GATEWAY_URL (http://127.0.0.1:8000)',
    );
  const { GATEWAY_KEY_FILE: file } = config;
  if (file === undefined) return config;
  if (config.GATEWAY_KEY !== undefined)
    throw new CodedError('invalid_config', 'GATEWAY_KEY and GATEWAY_KEY_FILE: set only one of them');
  return { ...config, GATEWAY_KEY: keyIn(file) };
}

/** The messages name the file, and nothing of what is in it. */
function keyIn(file: string): string {
  const text = readSecretFile('GATEWAY_KEY_FILE', file).trim();
  if (KEY.test(text)) return text;
  throw new CodedError('invalid_config', `GATEWAY_KEY_FILE ${file}: ${KEY_RULE}`);
}
