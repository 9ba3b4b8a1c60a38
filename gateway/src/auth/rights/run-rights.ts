// Which runs and conversations a principal may see and stop. They belong to who made them; a grant such as `runs:alice/*` shares them.
// Every question is answered from names alone, before anything is looked up: so an answer never tells whether something exists.

import { isExact, RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import { conversationChannel, type OwnedKey, partsOf, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { RunScope } from '../../runs/store/run-store.ts';
import type { Principal } from '../principal.ts';
import { mayRead } from './grants.ts';

/** One's own are among the grants, unless the credential is a narrow key that starts no runs. */
export function mayReadRun({ grants }: Principal, key: OwnedKey): boolean {
  return grants.admin || mayRead(grants, runChannel(key));
}

export function mayReadConversation({ grants }: Principal, key: OwnedKey): boolean {
  return grants.admin || mayRead(grants, conversationChannel(key));
}

/**
 * A grant to read does not include this, and neither does a key of the owner that starts no runs. Where nobody has to sign in,
 * everybody may stop what everybody has begun.
 */
export function mayCancelRun({ kind, owner, grants }: Principal, key: OwnedKey): boolean {
  return grants.admin || kind === 'everyone' || (grants.run && owner !== '' && owner === partsOf(key).owner);
}

/** Whoever may not stop what was begun in it may not name or delete it either. */
export const mayChangeConversation = mayCancelRun;

/** The runs that a list for this principal may hold. @param owner whose runs alone are asked for; undefined for all. */
export function readableRuns(principal: Principal, owner?: string): RunScope {
  const { grants } = principal;
  const asked = owner === undefined ? undefined : [owner];
  const patterns = grants.read.filter((pattern) => pattern.startsWith(RUN_PREFIX));
  if (grants.admin || patterns.includes(`${RUN_PREFIX}*`)) return { owners: asked };
  const allows = (key: OwnedKey) => mayReadRun(principal, key);
  const named = patterns.map(ownerNamed);
  if (asked === undefined && named.includes(undefined)) return { allows };
  const owners = asked ?? [...new Set(named.filter((name) => name !== undefined))];
  const isWhole = owners.every((name) => name !== '' && patterns.includes(`${RUN_PREFIX}${name}/*`));
  return { owners, allows: isWhole ? undefined : allows };
}

/** The one owner whose runs a pattern can match, '' for nobody; undefined if it may match those of several. */
function ownerNamed(pattern: string): string | undefined {
  const [owner, ...others] = pattern.slice(RUN_PREFIX.length).split('/');
  if (others.length > 0) return owner !== undefined && isExact(owner) ? owner : undefined;
  return isExact(pattern) ? '' : undefined;
}
