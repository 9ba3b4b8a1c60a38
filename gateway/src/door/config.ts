// The environment variable of the door for OpenAI clients, as a part of the gateway's schema.

import { about, word } from '@llm-streamer/shared/config.ts';

/** Who sees the texts of calls. */
export type CallContent = 'off' | 'owner' | 'shared';

export const doorVariables = {
  PROXY_CONTENT: about(
    word('off', 'owner', 'shared').default('owner'),
    'Who sees the texts of calls that OpenAI clients make through `/v1`. `owner`: whoever makes the call, on its channel `runs:…`; `logs:generation` holds figures alone. `off`: nobody. `shared`: all who may read `logs:generation`.',
  ),
};
