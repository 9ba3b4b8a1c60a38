// The contract of what does a run, whatever its kind: tasks and a combiner (pipeline.ts), or an agent.

import type { Draft } from '@llm-streamer/shared/entry.ts';
import type { RunAppender } from './journal.ts';
import type { RunPlan } from './run-plan.ts';
import type { Decision, RunEnding } from './store/run-store.ts';

/** Writes the run's record and channel. Its methods reject with PublishRefused `fenced` once the run has ended. */
export interface RunWriter extends RunAppender {
  /** Ends the run: writes its state and these entries in one step. */
  end(ending: RunEnding, drafts: readonly Draft[]): Promise<void>;
}

/** A writer of a run whose calls of tools may need consent. */
export interface AskingWriter extends RunWriter {
  /** Asks for consent to a call, which may be given on any gateway. */
  ask(approval: string, drafts: readonly Draft[]): Promise<void>;
  /** Resolves with what was decided, or with undefined when the run is over or `signal` aborts. */
  decided(approval: string, signal: AbortSignal): Promise<Decision | undefined>;
  /** Decides, unless somebody has. */
  decide(approval: string, decision: Decision, drafts: readonly Draft[]): Promise<void>;
}

export interface RunWork {
  /** The first entries of a run. They are written in one step with its record. */
  opening(plan: RunPlan): Draft[];
  /**
   * Does the run, and returns how it ended. When `ended` aborts, because something else has ended the run, the calls stop at once, nothing
   * more is written to the run, and the result is undefined. @throws the errors of the writer, `fenced` included.
   */
  run(plan: RunPlan, writer: AskingWriter, ended: AbortSignal): Promise<RunEnding | undefined>;
}
