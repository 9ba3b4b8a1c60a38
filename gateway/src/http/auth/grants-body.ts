// The fields of a body that say what a role or a key may do.

import { isPattern, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { z } from 'zod';
import { MAX_GRANTED_PATTERNS } from '../../auth/rights/roles.ts';

const PATTERNS_RULE = `must be a list of at most ${MAX_GRANTED_PATTERNS} patterns of ${PATTERN_RULE}`;
const YES_NO = 'must be true or false';
const patterns = z
  .array(z.string(PATTERNS_RULE).refine(isPattern, PATTERNS_RULE), PATTERNS_RULE)
  .max(MAX_GRANTED_PATTERNS, PATTERNS_RULE);
/** Each is nothing if it is left out. */
export const grantFields = {
  read: patterns.optional(),
  publish: patterns.optional(),
  run: z.boolean(YES_NO).optional(),
  metrics: z.boolean(YES_NO).optional(),
  admin: z.boolean(YES_NO).optional(),
};

/** A list of patterns is longer than other bodies: 50 of 200 characters, twice. */
export const GRANTS_BODY = 32_768;
