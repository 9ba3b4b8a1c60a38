// Where a cursor stands in a log that was replaced by an older copy of itself: the example of log-state.ts.

import { describe, expect, it } from 'vitest';
import { clampUpTo, judgeCursor, type LogState } from '../../src/broker/log-state.ts';

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
    ['names the rollback to a cursor just after the copy', 4_001, { after: 4_000, gap: rollback }],
    ['names the rollback to a cursor among lost entries', 4_700, { after: 4_000, gap: rollback }],
    ['sees nothing missing where numbering went on', 5_260, { after: 5_260 }],
    ['sees nothing missing after the rollback', 5_280, { after: 5_280 }],
    ['names a reset to a cursor that the log has not reached', 9_000, { after: 1_000, gap: reset(1_000) }],
    ['names a reset to a cursor from before the log', 500, { after: 1_000, gap: reset(500) }],
  ])('%s', (_, cursor, expected) => {
    expect(judgeCursor(log, cursor)).toEqual(expected);
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
