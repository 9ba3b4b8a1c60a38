// The environment variables of agents, as a part of the gateway's schema.

import { about, whole } from '@llm-streamer/shared/config.ts';

export const agentVariables = {
  APPROVAL_TIMEOUT_MS: about(
    whole(600_000, 1_000, 86_400_000),
    'How long the call of a tool waits for the consent of whom the run belongs to. After that the call counts as denied, and the agent goes on without it. It is nine tenths of `RETENTION_SECONDS_RUNS` at most, so that the question is kept meanwhile.',
  ),
};
