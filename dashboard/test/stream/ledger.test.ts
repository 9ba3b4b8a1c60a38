import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/stream/ledger.ts';
import { gapRow } from '../../src/stream/row.ts';

function connected(count = 100, replayed = 3): Ledger {
  const ledger = new Ledger();
  ledger.beginConnection({ count }, '1-10');
  for (let i = 0; i < replayed; i++) ledger.countEntry(false);
  ledger.checkReplay(replayed, '1-20');
  return ledger;
}

describe('the ledger', () => {
  it('finds nothing missing when received = replayed + (ping.count − hello.count)', () => {
    const ledger = connected(100, 3);
    for (let i = 0; i < 5; i++) ledger.countEntry(false);
    expect(ledger.checkPing(105, '1-30')).toBeUndefined();
    expect(ledger).toMatchObject({ received: 8, lost: 0, unknown: 0, checks: 1 });
  });

  it('turns a difference into one gap of that size, between the two pings', () => {
    const ledger = connected(100);
    expect(ledger.checkPing(100, '1-30')).toBeUndefined();
    ledger.countEntry(false);
    const gap = ledger.checkPing(104, '1-40');
    expect(gap).toMatchObject({ reason: 'transit', missed: 3, after: '1-30', before: '1-40' });
    expect(ledger.lost).toBe(3);
    expect(ledger.checkPing(104, '1-50')).toBeUndefined();
    expect(ledger.lost).toBe(3);
  });

  it('finds entries that the gateway replayed and that did not arrive', () => {
    const ledger = new Ledger();
    ledger.beginConnection({ count: 0 }, '1-1');
    ledger.countEntry(false);
    expect(ledger.checkReplay(4, '1-9')).toMatchObject({ missed: 3 });
  });

  it('counts a reported gap once, not again at the next ping', () => {
    const ledger = connected(100);
    ledger.countReportedGap(gapRow({ reason: 'trimmed', missed: 7, after: '1-20', before: '1-28' }));
    ledger.countEntry(false);
    expect(ledger.checkPing(108, '1-30')).toBeUndefined();
    expect(ledger.lost).toBe(7);
  });

  it('counts a gap of unknown size as unknown until the next ping gives its size', () => {
    const ledger = connected(100);
    const gap = gapRow({ reason: 'expired', missed: null });
    ledger.countReportedGap(gap);
    expect(ledger).toMatchObject({ lost: 0, unknown: 1 });
    ledger.checkPing(106, '1-30');
    expect(gap.missed).toBe(6);
    expect(ledger).toMatchObject({ lost: 6, unknown: 0 });
  });

  it('keeps an unknown gap of the replay unknown, since no count covers it', () => {
    const ledger = new Ledger();
    ledger.beginConnection({ count: 50 }, '1-1');
    ledger.countReportedGap(gapRow({ reason: 'reset', missed: null }));
    ledger.checkReplay(0, '1-2');
    ledger.checkPing(50, '1-3');
    expect(ledger.unknown).toBe(1);
  });

  it('counts an entry that came twice once in the total', () => {
    const ledger = new Ledger();
    ledger.beginConnection({ count: 0 }, '1-1');
    ledger.countEntry(false);
    ledger.countEntry(true);
    expect(ledger.checkReplay(2, '1-2')).toBeUndefined();
    expect(ledger).toMatchObject({ received: 1, duplicates: 1, lost: 0 });
  });

  it('no longer counts entries of a gap as lost after they were loaded', () => {
    const ledger = connected(0);
    const gap = gapRow({ reason: 'rollback', missed: null });
    ledger.countReportedGap(gap);
    ledger.resizeGap(gap, 0);
    expect(ledger).toMatchObject({ lost: 0, unknown: 0 });
  });
});
