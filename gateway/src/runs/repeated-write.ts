// Repeats a write to the log until its outcome is known. A write whose reply was lost may have been stored or not, so each step that
// is repeated here must be harmless where an earlier try was stored.

import { setTimeout as pause } from 'node:timers/promises';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';

const RETRY_MS = 250;

/**
 * Calls `step` until it resolves, or fails for another reason than that the log cannot be reached. Its argument counts the tries,
 * from 1. @throws BrokerUnavailable after `patienceMs`; and what `giveUp` throws, which is called before each repetition.
 */
export async function repeatedWrite<T>(
  step: (tries: number) => Promise<T>,
  patienceMs: number,
  giveUp: () => void = () => undefined,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let tries = 1; ; tries++) {
    try {
      return await step(tries);
    } catch (error) {
      if (!(error instanceof BrokerUnavailable) || performance.now() > deadline) throw error;
      giveUp();
      await pause(RETRY_MS);
    }
  }
}
