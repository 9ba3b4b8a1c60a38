// Lines of real programs become the entries that a person would read in them, whatever their format.
import { describe, expect, it } from 'vitest';
import { decodePayload } from '../src/decode/decode.ts';
import { expectEntry } from './expect-entry.ts';
import { LOG_LINES } from './log-lines.ts';

const NOW = Date.UTC(2026, 10, 29, 6);

describe('a line of', () => {
  it.each(LOG_LINES)('$writer: $line', (wanted) => {
    const entry = decodePayload(wanted.line, { channel: 'logs', now: NOW, source: 'none' });
    expectEntry(entry, wanted);
    if (wanted.time === undefined) expect(entry.time).toBe(NOW);
    if (wanted.source === undefined) expect(entry.source).toBe('none');
    expect(decodePayload(Buffer.from(wanted.line), { channel: 'logs', now: NOW, source: 'none' })).toEqual(
      entry,
    );
  });

  it('a program that writes no year gets the last year in which the line is not from the future', () => {
    const arrived = (now: string, line: string) =>
      new Date(
        decodePayload(line, { channel: 'logs', now: Date.parse(now), source: 'none' }).time,
      ).getFullYear();
    expect(arrived('2027-01-01T12:00:00', 'E1231 23:59:59.000000 1 x.go:1] late')).toBe(2026);
    expect(arrived('2026-12-31T12:00:00', 'E0101 00:00:01.000000 1 x.go:1] a clock ahead')).toBe(2027);
    expect(arrived('2026-11-29T12:00:00', 'May 15 10:00:00 host app[1]: an old file')).toBe(2026);
    expect(arrived('2026-02-01T12:00:00', 'Nov 15 10:00:00 host app[1]: an old file')).toBe(2025);
    expect(arrived('2026-11-29T12:00:00', 'E1129 05:00:11.000000 1 x.go:1] now')).toBe(2026);
  });
});
