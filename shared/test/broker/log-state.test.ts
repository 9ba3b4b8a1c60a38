// Where a cursor stands in a log that was replaced by an older copy of itself: the example of log-state.ts.

import { describe, expect, it } from 'vitest';
import { clampUpTo, judgeCursor, type LogState, nextLoss } from '../../src/broker/log-state.ts';

const log: LogState = {
  token: 'k3f9a2b1',
  start: 1_000,
  head: 5_300,
  rollbacks: [{ restored: 4_000, lifted: 5_260 }],
};
const rollback = { channel: null, after: 4_000, before: 5_261, reason: 'rollback', missed: null };
const reset = (after: number) => ({ channel: null, after, before: 1_001, reason: 'reset', missed: null });

describe('judgeCursor', () => {
  it.each([
    ['sees nothing missing at the beginning', 0, { after: 1_000 }],
    ['sees nothing missing in what the copy holds', 3_500, { after: 3_500 }],
    ['sees nothing missing at the end of what the copy holds', 4_000, { after: 4_000 }],
    ['names the rollback to a cursor just after the copy', 4_001, { after: 5_260, gap: rollback }],
    ['names the rollback to a cursor among lost entries', 4_700, { after: 5_260, gap: rollback }],
    ['sees nothing missing where numbering went on', 5_260, { after: 5_260 }],
    ['sees nothing missing after the rollback', 5_280, { after: 5_280 }],
    ['names a reset to a cursor that the log has not reached', 9_000, { after: 1_000, gap: reset(1_000) }],
    ['names a reset to a cursor from before the log', 500, { after: 1_000, gap: reset(500) }],
  ])('%s', (_, cursor, expected) => {
    expect(judgeCursor(log, cursor)).toEqual(expected);
  });
});

describe('nextLoss', () => {
  /** The same loss, which became known only when the log had come to 5280. */
  const late: LogState = {
    ...log,
    rollbacks: [...log.rollbacks, { restored: 5_280, lifted: 5_281, lostAfter: 4_000 }],
  };
  const known: LogState = { ...log, rollbacks: [{ restored: 4_000, lifted: 5_260, lostAfter: 4_000 }] };

  it.each([
    ['passes no loss where none is known', log, 3_500, 5_300, undefined],
    ['passes a loss where the copy ends', known, 3_500, 5_300, { at: 4_000, goOn: 5_260, gap: rollback }],
    ['passes it from the end of the copy', known, 4_000, 5_260, { at: 4_000, goOn: 5_260, gap: rollback }],
    ['has passed it where numbering went on', known, 5_260, 5_300, undefined],
    ['does not pass it in what the copy holds', known, 3_500, 4_000, undefined],
    [
      'passes it where it became known',
      late,
      3_500,
      5_300,
      { at: 5_280, goOn: 5_281, gap: { ...rollback, before: 5_282 } },
    ],
  ])('%s', (_, state, after, upTo, expected) => {
    expect(nextLoss(state, after, upTo)).toEqual(expected);
  });
});

describe('clampUpTo', () => {
  it.each([
    ['reads to the head without a bound', undefined, 5_300],
    ['keeps a bound of this log', 3_500, 3_500],
    ['raises a bound among lost entries to their end', 4_700, 5_260],
    ['reads to the head where the bound is beyond it', 9_000, 5_300],
    ['reads to the head where the bound is of another log', 500, 5_300],
  ])('%s', (_, upTo, expected) => {
    expect(clampUpTo(log, upTo)).toBe(expected);
  });
});
