// `users acl …`: the line of a Redis ACL file for a gateway, a writer, a producer or a reader.

import { hash } from 'node:crypto';
import { ACL_KINDS, type AclKind, aclLines } from '@llm-streamer/shared/broker/redis/acl.ts';
import { isClusterUrl } from '@llm-streamer/shared/broker/redis/address.ts';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { isReserved } from '@llm-streamer/shared/channels.ts';
import { askPassword } from './ask-password.ts';
import { parse, type StoreConfig, type StorelessCommand, usage } from './command-line.ts';
import { patterns } from './grant-options.ts';

/** Rules that every supported server knows. */
const OLDEST_REDIS = '7.0.0';

const OPTIONS = {
  user: { type: 'string' },
  channels: { type: 'string', multiple: true },
  password: { type: 'boolean' },
  'redis-version': { type: 'string' },
} as const;

export const acl: StorelessCommand = async (args, { config, print, say }) => {
  const { words, values } = parse(args, [`one of ${ACL_KINDS.join(', ')}`], OPTIONS);
  const role = ACL_KINDS.find((name) => name === words[0]) as AclKind | undefined;
  if (role === undefined) throw usage(`${JSON.stringify(words[0])}: use ${ACL_KINDS.join(', ')}`);
  const user = values.user ?? role;
  const redisVersion = values['redis-version'] ?? (await serverVersion(config));
  if (redisVersion === undefined) say(`for Redis ${OLDEST_REDIS}; --redis-version names another`);
  const request = {
    namespace: config.NAMESPACE,
    role,
    user,
    channels: patterns('channels', values.channels ?? ['logs*,events*']),
    isSharded: isClusterUrl(config.REDIS_URL),
    redisVersion: redisVersion ?? OLDEST_REDIS,
  };
  if (role === 'producer' || role === 'reader')
    for (const pattern of request.channels.filter(isReserved))
      say(
        `warning: ${pattern} is reserved: nothing of it is on plain channels, and what is published there is not taken`,
      );
  const password = values.password ? await askPassword(`the Redis user ${user}`) : undefined;
  const lines = aclLines({
    ...request,
    ...(password !== undefined && { passwordSha256: hash('sha256', password, 'hex') }),
  });
  for (const line of lines) print(line);
};

/** Undefined where no server is named. */
async function serverVersion({ REDIS_URL, NAMESPACE }: StoreConfig): Promise<string | undefined> {
  if (REDIS_URL === undefined) return undefined;
  const client = new RedisClient({ url: REDIS_URL, namespace: NAMESPACE }, 'users', undefined);
  try {
    await client.runId(5_000);
    return /^redis_version:(\S+)/m.exec(await client.redis.info('server'))?.[1] ?? OLDEST_REDIS;
  } catch (error) {
    throw client.unavailable(error);
  } finally {
    client.close();
  }
}
