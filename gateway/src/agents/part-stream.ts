// The port between the protocols of chat clients and the route that streams a run in one of them: what each entry of an agent's run becomes.
// All of it follows from the entries alone, so live and replayed are the same.

import type { Entry } from '@llm-streamer/shared/entry.ts';

/** Belongs to one stream. Each method gives what is sent next, one object for each event of the protocol. */
export interface PartStream {
  /** The next entry. */
  take(entry: Entry): object[];
  /** The beginning of a stream that goes on with an earlier one, after `take` has had the entries of that. */
  goOn(): object[];
  /** The end of a stream whose last entry asks for consent: the client answers only after that, and the run waits. */
  pause(asked: Entry): object[];
  /** In place of entries that are no longer kept. */
  trimmed(): object[];
  /** The end, if the log has lost the run. */
  lost(): object[];
}
