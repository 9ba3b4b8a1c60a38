// The variables that say who may come, and the mode that follows from them: open is only what nobody else can reach, or what was
// opened on purpose.

import { isPattern, isReserved, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { about, authModeVariable, list } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { isLoopback } from './loopback.ts';
import { isName, NAME_RULE } from './names.ts';

const PUBLIC_URL_RULE = 'must look like https://logs.example.com, with the base path if there is one';

export const authVariables = {
  ...authModeVariable,
  AUTH_ANONYMOUS: about(
    list(
      '',
      `must be channels and patterns of ${PATTERN_RULE}, none of them reserved, separated by commas`,
      (patterns) => patterns.every((pattern) => isPattern(pattern) && !isReserved(pattern)),
    ),
    'Channels and patterns that everybody may read where `AUTH=on`: without a credential, and with any that grants less.',
  ),
  AUTH_SIGNUP: about(
    z
      .string()
      .refine((role) => isName(role) && role !== 'admin', `${NAME_RULE}, and not be admin`)
      .optional(),
    'The role of people who add themselves by `POST /auth/signup`, such as `viewer`; never one of an admin. Unset, nobody can.',
  ),
  AUTH_BOOTSTRAP_KEY_FILE: about(
    z.string().min(1).optional(),
    'A file with a key of at least 32 characters. It makes an admin of whoever has it, until the first person is added.',
  ),
  PUBLIC_URL: about(
    z
      .url({ protocol: /^https?$/, error: PUBLIC_URL_RULE, abort: true })
      .refine((url) => !/[?#@]/.test(url), PUBLIC_URL_RULE)
      .optional(),
    'The address at which people reach the gateway through a proxy, such as `https://logs.example.com`. Its name counts as one of `ALLOWED_HOSTS`.',
  ),
  PUBLISHED_HOST: about(
    z.string().min(1).optional(),
    'The address at which the machine publishes the port of a container, where `HOST` is one of the container. `AUTH` is judged by it.',
  ),
};

export type AuthMode = 'on' | 'off' | 'report';

interface Reach {
  AUTH?: AuthMode | undefined;
  HOST: string;
  PUBLISHED_HOST?: string | undefined;
  PUBLIC_URL?: string | undefined;
  ALLOWED_HOSTS: readonly string[];
  TRUST_PROXY: string;
  BASE_PATH: string;
}

/** @throws CodedError `invalid_config` if others can come and nothing was said about them */
export function authMode(reach: Reach): AuthMode {
  if (reach.AUTH !== undefined) return reach.AUTH;
  const way = wayIn(reach);
  if (way === undefined) return 'off';
  throw new CodedError(
    'invalid_config',
    `AUTH: ${way}, so others can reach this gateway; set AUTH=on, or AUTH=off if everybody may read and write everything`,
  );
}

/** The variable by which others can come; undefined if only this machine can. A proxy on this machine makes loopback public. */
export function wayIn(reach: Reach): string | undefined {
  const name = reach.PUBLISHED_HOST === undefined ? 'HOST' : 'PUBLISHED_HOST';
  const host = reach.PUBLISHED_HOST ?? reach.HOST;
  if (!isLoopback(host)) return `${name} is ${host}`;
  const isGiven = {
    ALLOWED_HOSTS: reach.ALLOWED_HOSTS.length > 0,
    TRUST_PROXY: !['', 'false'].includes(reach.TRUST_PROXY),
    BASE_PATH: reach.BASE_PATH !== '',
    PUBLIC_URL: reach.PUBLIC_URL !== undefined,
  };
  const [given] = Object.entries(isGiven).find(([, is]) => is) ?? [];
  return given === undefined ? undefined : `${given} is set`;
}
