// Where people, roles, keys and sessions are kept, as a part of the gateway's schema, and what the command line reads of it.

import { about, brokerVariables, readConfig, retentionVariables } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';

export const authStoreVariables = {
  AUTH_FILE: about(
    z.string().min(1).optional(),
    'The file with people, roles, API keys and sessions, where there is no `REDIS_URL` (with it they are kept in Redis). It is made when the first person is added, in a folder that must exist; nobody but its owner may read it. Without it nobody can be added, and sessions end with the gateway.',
  ),
};

/** Reads what says where people are kept, and what the log keeps of the audit. @throws CodedError `invalid_config` */
export function readAuthStoreConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  return readConfig({ ...brokerVariables, ...retentionVariables, ...authStoreVariables }, env);
}
