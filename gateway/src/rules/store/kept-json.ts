// Reads what a store has kept of alerts. Another program may have written to its keys, so what does not look like an alert is left out.

import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';
import { z } from 'zod';
import type { AlertState } from '../alerts/alert-state.ts';

const counts = z.array(z.tuple([z.number(), z.number()])).max(40);
const cause = z.object({ channel: z.string(), id: z.string() });
const group = z.record(z.string(), z.string());

const state = z.object({
  rule: z.string(),
  version: z.string(),
  group: group.optional(),
  seen: z.number(),
  cause: cause.optional(),
  counts: counts.optional(),
  part: counts.optional(),
  value: z.number().optional(),
  beyond: z.number().optional(),
  firing: z.object({ since: z.number(), met: z.number(), cause: cause.optional() }).optional(),
  fired: z.number().optional(),
});

const firing = z.object({
  text: z.string(),
  level: z.enum(['error', 'warn']),
  alert: z.string(),
  rule: z.string(),
  group: group.optional(),
  value: z.number().optional(),
  bound: z.number().optional(),
  since: z.number(),
  cause_channel: z.string().optional(),
  cause_id: z.string().optional(),
});

export function readState(text: string): AlertState | undefined {
  return state.safeParse(parse(text)).data as AlertState | undefined;
}

export function readFiring(text: string): FiringAlert | undefined {
  return firing.safeParse(parse(text)).data as FiringAlert | undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
