// Reads the state of the log. It needs no write, so that readers go on where Redis takes none; only a log that is new, or that is found
// on another server, has to be written first.

import { loadScript, type RedisClient } from './client.ts';
import { codeOf } from './errors.ts';
import type { RedisKeys } from './keys.ts';

const READ = loadScript('state', 'no-writes');
const MAKE = loadScript('state', 'allow-oom');

/** What state.lua returns: token, start, head, and the rollbacks. */
export async function readState(
  client: RedisClient,
  keys: RedisKeys,
): Promise<[string, string, string, ...string[]]> {
  const reply = await client.runScript(READ, keys, ['read']).catch((error) => {
    if (codeOf(error) !== 'MUSTWRITE') throw error;
    return client.runScript(MAKE, keys, ['']);
  });
  return reply as [string, string, string, ...string[]];
}
