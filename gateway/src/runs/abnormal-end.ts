// The end of a run that its pipeline does not reach: it was cancelled, its gateway was stopped or died, or the pipeline
// failed. What was said so far stays valid, so such an end is marked `partial`, even if nothing was said yet.

import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import type { EndState } from '@llm-streamer/shared/run.ts';
import { lifecycleCopy, RunEntries } from './run-entries.ts';
import type { RunIdentity } from './run-plan.ts';
import type { RunEnding } from './store/run-store.ts';

export interface AbnormalEnding extends RunEnding {
  state: Exclude<EndState, 'finished'>;
  code: string;
}

/**
 * The last entries: one on the run's channel, and its copy on the channel of the owner's runs. @param source the gateway that writes them.
 * @param unverified the calls of tools whose effect nobody knows.
 */
export function abnormalEnd(
  run: RunIdentity,
  source: string,
  ending: AbnormalEnding,
  msg: string,
  unverified: readonly string[] = [],
): Draft[] {
  const { state, code, totals } = ending;
  const attrs = { partial: true, ...(unverified.length > 0 && { unverified }) };
  const end = new RunEntries(run, source).runEnded(state, msg, totals, attrs, code);
  return [draft(end), draft(lifecycleCopy(end, run.owner))];
}
