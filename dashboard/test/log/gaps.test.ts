import { describe, expect, it } from 'vitest';
import { describeGap } from '../../src/log/gaps.ts';
import { GapRow } from '../../src/stream/row.ts';

const gap = (fields: Partial<GapRow>) =>
  describeGap(
    new GapRow({
      reason: 'trimmed',
      channel: null,
      after: undefined,
      before: undefined,
      missed: null,
      ...fields,
    }),
  );

describe('a gap in words', () => {
  it('has its count, reason and time range', () => {
    expect(gap({ missed: 4_120, after: '1000-1', before: '62000-9' })).toBe(
      '4,120 entries · trimmed: the channel keeps no more · 00:00:01.000 – 00:01:02.000',
    );
  });

  it('never makes an unknown size a number', () => {
    expect(gap({ reason: 'reset' })).toMatch(/^an unknown number of entries · the log was wiped/);
  });

  it('shows an unknown reason as the gateway gave it', () => {
    expect(gap({ reason: 'new_reason', missed: 1 })).toBe('1 entry · new_reason');
  });
});
