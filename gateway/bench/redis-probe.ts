// Asks Redis how many connections are subscribed to something.

import { Redis } from 'ioredis';

export async function redisSubscribers(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    const list = String(await redis.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    return list.split('\n').filter((client) => client !== '').length;
  } finally {
    redis.disconnect();
  }
}
