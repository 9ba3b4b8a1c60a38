// Asks the gateway who sits here. In a file of its own, because the page needs it before it shows anything.

import type { Profile, SignInWays } from '@llm-streamer/shared/api-types.ts';
import type { StreamState } from '../stream/wire.ts';

/** The pause before the gateway is asked again. */
export const ASK_AGAIN_MS = 3_000;

/** Without a profile, `state` is what the page shows instead of a stream's state. */
type Answer =
  | { profile: Profile; ways?: undefined }
  | { profile?: undefined; ways?: SignInWays; state: StreamState };

/** Never rejects. */
export async function askWho(): Promise<Answer> {
  try {
    const response = await fetch(new URL('auth/profile', document.baseURI), { cache: 'no-store' });
    const body = await response.json();
    if (response.ok) return { profile: body };
    const state = { state: 'refused', code: 'unauthorized', reason: 'nobody is signed in' } as const;
    if (response.status === 401) return { ways: body, state };
  } catch {
    // The gateway is away, or something else answered.
  }
  const reason = 'the gateway cannot be reached';
  const at = Date.now() + ASK_AGAIN_MS;
  return { state: { state: 'retrying', code: 'unreachable', reason, at, attempt: 1 } };
}
