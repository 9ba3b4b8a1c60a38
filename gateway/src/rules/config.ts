// The environment variable of rules and alerts, as a part of the gateway's schema.

import { about } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';

export const rulesVariables = {
  RULES_FILE: about(
    z.string().min(1).optional(),
    'The file with the rules that make events and alerts of log entries; see [alerts](alerts.md). It is read again when it changes, and a file that is not valid leaves the last good rules in use. All gateways of a log should have the same file. Unset, there are no rules.',
  ),
};
