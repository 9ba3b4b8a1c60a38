// What two sets of grants both allow: a personal key never allows more than its person may.

import { inCommon, stepBudget, withoutCovered } from '@llm-streamer/shared/channel-sets.ts';
import type { Grants } from '../principal.ts';

/** About 20 ms. Lists that take more were made to take long. */
const MAX_STEPS = 1_000_000;
const MAX_PATTERNS = 500;

/** @throws TooManyPatterns if that can be said only with more patterns than may be used */
export function narrowGrants(grants: Grants, limit: Grants): Grants {
  const spend = stepBudget(MAX_STEPS);
  return {
    read: withoutCovered(inCommon(grants.read, limit.read, MAX_PATTERNS, spend)),
    publish: withoutCovered(inCommon(grants.publish, limit.publish, MAX_PATTERNS, spend)),
    run: grants.run && limit.run,
    metrics: grants.metrics && limit.metrics,
    admin: grants.admin && limit.admin,
  };
}
