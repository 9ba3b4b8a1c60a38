// The variables of the producer: where entries go, and how large they may be. No other file of the producer reads the environment.

import { about, brokerVariables, readConfig, retentionVariables } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';

const GATEWAY_RULE = 'must look like http://host:port[/base], without user, password, query or fragment';

function isBare(url: string): boolean {
  const { username, password, search, hash } = new URL(url);
  return username === '' && password === '' && search === '' && hash === '';
}

/** The variables that only producers read. */
export const producerVariables = {
  GATEWAY_URL: about(
    z
      .url({ protocol: /^https?$/, error: GATEWAY_RULE, abort: true })
      .refine(isBare, { error: GATEWAY_RULE })
      .optional(),
    'The gateway to which a producer publishes over HTTP. Where `REDIS_URL` is set, too, it publishes to Redis instead.',
  ),
};

const variables = { ...brokerVariables, ...retentionVariables, ...producerVariables };

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
  return config;
}
