// The time that the engine gives each line, as text that sorts like the time and keeps its nanoseconds: `1795953114.635543360`.

export type Stamp = string;

export const EARLIEST: Stamp = '0000000000.000000000';

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** Reads `2026-11-29T11:51:54.63554336Z`; undefined for any other text. */
export function parseStamp(text: string): Stamp | undefined {
  const [, clock, fraction = '', zone] = RFC3339.exec(text) ?? [];
  if (clock === undefined || zone === undefined) return undefined;
  const ms = Date.parse(clock + zone);
  if (Number.isNaN(ms)) return undefined;
  // The engine gives the year 1 where it knows no time.
  return ms < 0 ? EARLIEST : `${String(ms / 1000).padStart(10, '0')}.${fraction.padEnd(9, '0')}`;
}

export function isStamp(value: unknown): value is Stamp {
  return typeof value === 'string' && /^\d{10,12}\.\d{9}$/.test(value);
}

export function stampOf(ms: number): Stamp {
  const whole = Math.max(0, Math.floor(ms));
  return `${String(Math.floor(whole / 1000)).padStart(10, '0')}.${String(whole % 1000).padStart(3, '0')}000000`;
}

export function msOf(stamp: Stamp): number {
  const [seconds = '0', nanos = '0'] = stamp.split('.');
  return Number(seconds) * 1000 + Math.floor(Number(nanos) / 1e6);
}

export function earlier(stamp: Stamp, ms: number): Stamp {
  const [seconds = '0', nanos = '000000000'] = stamp.split('.');
  const back = Math.ceil(ms / 1000);
  return Number(seconds) < back ? EARLIEST : `${String(Number(seconds) - back).padStart(10, '0')}.${nanos}`;
}
