// What a broker knows of its log, and what follows from that for a reader's cursor: whether the cursor belongs to this log, and
// whether the log has lost entries that the reader has seen. All functions here compute with numbers alone, and read nothing.

import type { Gap } from './broker.ts';
import type { Position } from './position.ts';

export interface LogState {
  /** Eight letters and digits that name this log: a log that was wiped and begun anew has another token. */
  token: string;
  /** Every entry of this log has a position above this one. */
  start: Position;
  /** The position of the newest entry, or `start` in a log without entries. */
  head: Position;
  rollbacks: readonly Rollback[];
}

/**
 * The log was replaced by an older copy of itself, whose newest position was `restored`. The next entry got a position
 * above `lifted`. So no entry of this log lies strictly between the two, and a cursor that does has seen lost entries.
 */
export interface Rollback {
  restored: Position;
  lifted: Position;
  /**
   * Set if it is known that entries were lost, because somebody had seen one: all that the log had after this position. Then a reader
   * that comes from `restored` or before, and has seen none of them, is told when it passes. This position is `restored`, or a lower one
   * where the loss became known only after the log had gone on.
   */
  lostAfter?: Position;
}

/**
 * Where a reader with this cursor continues, and the gap that it must get first.
 *
 * An example with short numbers. The log starts at 1000 and has come to 5000 when an older copy takes its place, whose newest
 * position is 4000. The log remembers the rollback { restored: 4000, lifted: 5260 }, and goes on with 5261; its head is 5300.
 *
 *   cursor  continues after  gap
 *   0       1000             none: a reader at the beginning has seen nothing
 *   3500    3500             none: all that this reader has seen is in the copy. If 4001 to 5000 are known to be lost, it is told when
 *                            it comes to 4000, see `nextLoss`
 *   4000    4000             none: this reader has seen exactly what the copy holds
 *   4700    5260             rollback, after 4000 and before 5261: what this reader saw is lost, and others may be, too
 *   5280    5280             none: this reader has seen entries that were written after the rollback
 *   9000    1000             reset, after 1000 and before 1001: the log has not come so far, the cursor is of another one
 *   500     1000             reset, after 500 and before 1001: the cursor is older than this log
 *
 * Nobody knows how far the other log went, so no range can name what is missing of it: a reset says that the reader's positions
 * mean nothing here. Its range ends where this log begins, and never runs backwards.
 */
export function judgeCursor(state: LogState, cursor: Position): { after: Position; gap?: Gap } {
  if (cursor === 0) return { after: state.start };
  if (cursor < state.start || cursor > state.head) {
    const { start } = state;
    const after = Math.min(cursor, start);
    return {
      after: start,
      gap: { channel: null, after, before: start + 1, reason: 'reset', missed: null },
    };
  }
  const rollback = rollbackAt(state, cursor);
  if (!rollback) return { after: cursor };
  const { restored, lifted } = rollback;
  const gap: Gap = { channel: null, after: restored, before: lifted + 1, reason: 'rollback', missed: null };
  return { after: lifted, gap };
}

/**
 * Where a read ends that was asked to end at `upTo`: never beyond the head of the log. A bound below this log's start
 * belongs to another log, and does not count. A bound among lost positions is raised to the end of these positions, because a read
 * that ended among them would leave its reader with a cursor there, and the next read would report the rollback once more. In the example above a bound of 4700
 * becomes 5260, and one of 9000 becomes 5300.
 */
export function clampUpTo(state: LogState, upTo: Position | undefined): Position {
  if (upTo === undefined || upTo < state.start) return state.head;
  return Math.min(rollbackAt(state, upTo)?.lifted ?? upTo, state.head);
}

/** The first loss that a reader who reads on from `after` to `upTo` passes; undefined if it passes none. */
export function nextLoss(
  { rollbacks }: LogState,
  after: Position,
  upTo: Position,
): { at: Position; goOn: Position; gap: Gap } | undefined {
  for (const { restored, lifted, lostAfter } of rollbacks) {
    if (lostAfter === undefined || after > restored || lifted > upTo) continue;
    const gap: Gap = {
      channel: null,
      after: lostAfter,
      before: lifted + 1,
      reason: 'rollback',
      missed: null,
    };
    return { at: restored, goOn: lifted, gap };
  }
  return undefined;
}

/** The rollback that lost the entry at this position; undefined if no rollback did. */
export function rollbackAt({ rollbacks }: LogState, position: Position): Rollback | undefined {
  return rollbacks.find(({ restored, lifted }) => restored < position && position < lifted);
}
