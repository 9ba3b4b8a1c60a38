// What belongs to whom: the names of runs and conversations, and of their channels. Ids are unique for one owner only, so the same
// `message_id` of two people are two runs. Where nobody has to sign in there is no owner (''), and the names are the bare ids.

import { CONVERSATION_PREFIX, RUN_EVENTS_PREFIX, RUN_PREFIX } from './channels.ts';
import { CHANNELS } from './events.ts';

declare const brand: unique symbol;

/**
 * Names one run, or one conversation, among those of all owners: `<owner>/<id>`, or `<id>` where it belongs to nobody. A bare id is
 * no key, since it would name what belongs to nobody.
 */
export type OwnedKey = string & { readonly [brand]: true };

/** Names of owners and ids hold no `/`, so two different pairs never have the same key. */
export function ownedKey(owner: string, id: string): OwnedKey {
  return (owner === '' ? id : `${owner}/${id}`) as OwnedKey;
}

export function partsOf(key: OwnedKey): { owner: string; id: string } {
  const slash = key.indexOf('/');
  return { owner: key.slice(0, Math.max(0, slash)), id: key.slice(slash + 1) };
}

export function runChannel(key: OwnedKey): string {
  return `${RUN_PREFIX}${key}`;
}

/** The key of the run whose channel this is; undefined for any other channel. */
export function runOfChannel(channel: string): OwnedKey | undefined {
  return channel.startsWith(RUN_PREFIX) ? (channel.slice(RUN_PREFIX.length) as OwnedKey) : undefined;
}

export function conversationChannel(key: OwnedKey): string {
  return `${CONVERSATION_PREFIX}${key}`;
}

/** Where it is told that runs of an owner begin and end. Everybody reads it where runs belong to nobody; else the owner alone. */
export function runEventsChannel(owner: string): string {
  return owner === '' ? CHANNELS.runs : `${RUN_EVENTS_PREFIX}${owner}`;
}

/** Whose runs are told of on this channel; '' also for a channel that tells of none. */
export function ownerOfEvents(channel: string): string {
  return channel.startsWith(RUN_EVENTS_PREFIX) ? channel.slice(RUN_EVENTS_PREFIX.length) : '';
}
