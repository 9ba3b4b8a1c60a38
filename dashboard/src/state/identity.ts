// Who sits here, as the gateway says. Nothing is asked of the log before that is known, because what is received is kept
// under the name of the session that received it.

import type { Profile, SignInWays } from '@llm-streamer/shared/api-types.ts';
import { computed, signal } from '@preact/signals';
import type { ComponentType } from 'preact';

/** Absent until the gateway has answered, and while nobody is signed in where somebody must be. */
export const profile = signal<Profile | undefined>(undefined);
/** How one can sign in; set while the sign-in panel is open. */
export const signIn = signal<SignInWays | undefined>(undefined);
/** The component in the top line that shows who is signed in; absent on a page that nobody else can reach and where nobody is asked. */
export const whoPart = signal<ComponentType | undefined>(undefined);

export const isOnLoopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
/** Whether people sign in here. */
export const isGuarded = computed(() => (profile.value?.auth ?? 'off') !== 'off' || !!signIn.value);

/** What a curl line needs where people sign in: the key is in a variable of the shell, and never in the page. */
export function keyOption(): string {
  return profile.value?.auth === 'on' ? ' -H "Authorization: Bearer $GATEWAY_KEY"' : '';
}

/** A name for the person: what one has received another must never see. Empty where nobody has to sign in. */
export function personOf({ kind, owner, name }: Profile): string {
  return kind === 'everyone' ? '' : `${kind} ${owner} ${name}`;
}

/** A name for the session. */
export function sessionOf(whom: Profile): string {
  return personOf(whom) && `${personOf(whom)} ${whom.session}`;
}
