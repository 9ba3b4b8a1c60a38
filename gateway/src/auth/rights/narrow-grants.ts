// What two sets of grants both allow: a personal key never allows more than its person may.

import { channelSets, inCommon, stepBudget, withoutCovered } from '@llm-streamer/shared/channel-sets.ts';
import type { Grants } from '../principal.ts';

const MAX_PATTERNS = 500;

/** @throws TooManyPatterns if that can be said only with more patterns than may be used */
export function narrowGrants(grants: Grants, limit: Grants): Grants {
  const spend = stepBudget();
  const both = (some: readonly string[], others: readonly string[]) =>
    withoutCovered(
      inCommon(channelSets(some, spend), channelSets(others, spend), MAX_PATTERNS, spend),
      spend,
    );
  return {
    read: both(grants.read, limit.read),
    publish: both(grants.publish, limit.publish),
    run: grants.run && limit.run,
    metrics: grants.metrics && limit.metrics,
    admin: grants.admin && limit.admin,
  };
}
