// The end of a run that its pipeline does not reach: it was cancelled, its gateway was stopped or died, or the pipeline
// failed. What was said so far stays valid, so such an end is marked `partial`, even if nothing was said yet.

import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import type { EndState } from '@llm-streamer/shared/run.ts';
import { type Turn, unansweredOf } from './conversation.ts';
import { lifecycleCopy, RunEntries } from './run-entries.ts';
import type { RunIdentity } from './run-plan.ts';
import type { RunEnding } from './store/run-store.ts';

export interface AbnormalEnding extends RunEnding {
  state: Exclude<EndState, 'finished'>;
  code: string;
}

/** What the entries of the run say. */
export interface Left {
  /** The calls of tools whose effect nobody knows. */
  unverified: readonly string[];
  /** What an agent was asked. */
  question?: Pick<Turn, 'text' | 'time'>;
}

/**
 * The last entries: the question on the channel of its conversation, where nobody would find it otherwise, one on the run's channel, and
 * its copy on the channel of the owner's runs. @param source the gateway that writes them.
 */
export function abnormalEnd(
  run: RunIdentity,
  source: string,
  ending: AbnormalEnding,
  msg: string,
  { unverified, question }: Left,
): Draft[] {
  const { state, code, totals } = ending;
  const attrs = { partial: true, ...(unverified.length > 0 && { unverified }) };
  const end = new RunEntries(run, source).runEnded(state, msg, totals, attrs, code);
  const turns = question === undefined ? [] : unansweredOf(run, question, state, source);
  return [...turns, end, lifecycleCopy(end, run.owner)].map((fields) => draft(fields));
}
