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
const UNITS = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'm'],
  [SECOND, 's'],
] as const;
/** The room that the text of a step needs. */
const STEP_PX = 80;

/** Round times from 0 up to `length` ms, at most one each STEP_PX of `width` px. */
export function ticksOf(length: number, width: number): number[] {
  const most = Math.max(1, Math.floor(width / STEP_PX));
  const step = STEPS.find((ms) => length / ms <= most) ?? DAY * Math.ceil(length / DAY / most);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step);
}

/** Each in the unit of the step between them: `60s` among others of 20 s, and not `1m`. */
export function tickTexts(ticks: readonly number[]): string[] {
  const step = ticks[1] ?? 0;
  const [unit, name] = UNITS.find(([ms]) => step % ms === 0) ?? [1, 'ms'];
  return ticks.map((ms) => (ms === 0 ? '0' : `${ms / unit}${name}`));
}
