// What two sets of grants both allow: a personal key never allows more than its person may.

import { intersect, withoutCovered } from '@llm-streamer/shared/channel-sets.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Grants } from './principal.ts';

/** About 20 ms. Lists that take more were made to take long. */
const MAX_STEPS = 1_000_000;
const MAX_PATTERNS = 500;

/** @throws CodedError `too_many_patterns` if that can be said only with more patterns than may be used */
export function narrowGrants(grants: Grants, limit: Grants): Grants {
  const spend = budget();
  return {
    read: common(grants.read, limit.read, spend),
    publish: common(grants.publish, limit.publish, spend),
    run: grants.run && limit.run,
    metrics: grants.metrics && limit.metrics,
    admin: grants.admin && limit.admin,
  };
}

function common(
  some: readonly string[],
  others: readonly string[],
  spend: (steps: number) => void,
): string[] {
  const patterns = new Set<string>();
  for (const one of some)
    for (const other of others)
      for (const pattern of intersect(one, other, spend)) {
        if (patterns.size >= MAX_PATTERNS) throw tooMany();
        patterns.add(pattern);
      }
  return withoutCovered(patterns);
}

function budget(): (steps: number) => void {
  let left = MAX_STEPS;
  return (steps) => {
    left -= steps;
    if (left < 0) throw tooMany();
  };
}

function tooMany(): CodedError {
  return new CodedError('too_many_patterns', 'these grants have too much in common to be named');
}
