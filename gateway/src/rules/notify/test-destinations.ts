// Sends a message that is marked as a test, and says how each destination has answered.

import type { AlertTestAnswer } from '@llm-streamer/shared/api-types.ts';
import type { RuleSet } from '../rules-file.ts';
import { Destination, type ReadSecret, testAlert } from './destination.ts';

/** Undefined if there is no such destination, or none at all. */
export async function testDestinations(
  { destinations }: RuleSet,
  readSecret: ReadSecret,
  wanted?: string,
): Promise<AlertTestAnswer | undefined> {
  const chosen = Object.entries(destinations).filter(([name]) => wanted === undefined || name === wanted);
  if (chosen.length === 0) return undefined;
  const message = testAlert(Date.now());
  const answers = chosen.map(async ([name, settings]) => {
    const outcome = await new Destination(settings, readSecret).send([message]);
    return { name, delivered: outcome.delivered, ...(!outcome.delivered && { problem: outcome.problem }) };
  });
  return { destinations: await Promise.all(answers) };
}
