// An entry's time in four ways: local, UTC, relative to now, and as the distance from the entry before.

export const TIME_MODES = ['local', 'utc', 'rel', 'delta'] as const;
export type TimeMode = (typeof TIME_MODES)[number];

const pad = (n: number, width = 2) => String(n).padStart(width, '0');

export function formatTime(mode: TimeMode, time: number, previous: number | undefined, now: number): string {
  if (Number.isNaN(time)) return '';
  if (mode === 'rel') return `-${duration(Math.max(0, now - time))}`;
  if (mode === 'delta')
    return previous === undefined || Number.isNaN(previous)
      ? ''
      : `${time < previous ? '-' : '+'}${duration(Math.abs(time - previous))}`;
  return clock(time, mode === 'utc');
}

let lastSecond = Number.NaN;
let lastUtc = false;
let lastText = '';

function clock(time: number, utc: boolean): string {
  const second = Math.floor(time / 1000);
  if (second !== lastSecond || utc !== lastUtc) {
    const date = new Date(time);
    lastText = utc
      ? `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`
      : `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
    lastSecond = second;
    lastUtc = utc;
  }
  return `${lastText}.${pad(Math.floor(time) - second * 1000, 3)}`;
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)}s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m${pad(Math.floor((ms % 60_000) / 1000))}s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)}h${pad(Math.floor((ms % 3_600_000) / 60_000))}m`;
  return `${Math.floor(ms / 86_400_000)}d${pad(Math.floor((ms % 86_400_000) / 3_600_000))}h`;
}

export function iso(time: number): string {
  return new Date(time).toISOString();
}

/** The time of day here, to the second. */
export function clockOf(time: number): string {
  return new Date(time).toTimeString().slice(0, 8);
}
