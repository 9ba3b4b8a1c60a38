// What somebody outside says of a person or program: grants in the claim of a token, and names of roles or groups. One wrong part
// refuses the whole claim: what was meant cannot be known, and the rest alone might mean something else.

import { isPattern } from '@llm-streamer/shared/channels.ts';
import { z } from 'zod';
import type { Grants } from '../principal.ts';
import { MAX_GRANTED_PATTERNS } from '../rights/roles.ts';

/** Directories with hundreds of groups for a person exist; no more than these are looked at. */
const MAX_NAMES = 1_000;

const patterns = z.array(z.string().refine(isPattern)).max(MAX_GRANTED_PATTERNS).default([]);
const claim = z.strictObject({
  read: patterns,
  publish: patterns,
  run: z.boolean().default(false),
  metrics: z.boolean().default(false),
  admin: z.boolean().default(false),
});

/** Undefined if any part of it is not as it must be. */
export function claimedGrants(value: unknown): Grants | undefined {
  const result = claim.safeParse(value);
  return result.success ? result.data : undefined;
}

/** The roles of these groups. A map answers nothing for names such as `__proto__`, which a plain object would. */
export function rolesOfGroups(
  groups: readonly string[],
  byGroup: ReadonlyMap<string, readonly string[]>,
): string[] {
  return [...new Set(groups.flatMap((group) => byGroup.get(group) ?? []))];
}

/** The value of a claim that names roles or groups: a list of texts, or one text. Undefined if it is neither. */
export function namesIn(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value) || value.length > MAX_NAMES) return undefined;
  return value.every((name) => typeof name === 'string') ? (value as string[]) : undefined;
}

/**
 * The claim of this name: as it stands (`https://example.com/roles`), else step by step at its dots (`realm_access.roles`). Own
 * properties only, so that no claim can be named that the token does not hold.
 */
export function claimNamed(name: string, claims: Readonly<Record<string, unknown>>): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
