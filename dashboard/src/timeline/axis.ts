// The axis of time above the bars: round steps, as many as there is room for.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** In ms; beyond the last, whole days. */
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
];
/** The room that the text of a step needs. */
const STEP_PX = 80;

/** Round times from 0 up to `length` ms, at most one each STEP_PX of `width` px. */
export function ticksOf(length: number, width: number): number[] {
  const most = Math.max(1, Math.floor(width / STEP_PX));
  const step = STEPS.find((ms) => length / ms <= most) ?? DAY * Math.ceil(length / DAY / most);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step);
}

/** In the greatest unit of which it is a whole number: `200ms`, `90s`, `2m`, `36h`, `3d`. */
export function tickText(ms: number): string {
  if (ms === 0) return '0';
  if (ms % DAY === 0) return `${ms / DAY}d`;
  if (ms % HOUR === 0) return `${ms / HOUR}h`;
  if (ms % MINUTE === 0) return `${ms / MINUTE}m`;
  return ms % SECOND === 0 ? `${ms / SECOND}s` : `${ms}ms`;
}
