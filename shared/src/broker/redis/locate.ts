// From the address of a log to what finds its server.

import type { Logger } from '../../logger.ts';
import { parseRedisUrl } from './address.ts';
import { RedisKeys } from './keys.ts';
import type { Locator } from './locator.ts';
import { Sentinels } from './sentinels.ts';
import { SlotOwner } from './slot-owner.ts';

/** A log: where it is, and its name there, by which a Cluster knows its node. */
export interface Place {
  /** A REDIS_URL of any form. */
  url: string;
  namespace: string;
}

/** The URL itself if it is that of one server. */
export function locate({ url, namespace }: Place, logger: Logger | undefined): string | Locator {
  const address = parseRedisUrl(url);
  if (typeof address === 'string') return address;
  if ('master' in address) return new Sentinels(address, logger);
  return new SlotOwner(address, new RedisKeys(namespace).prefix, logger);
}
