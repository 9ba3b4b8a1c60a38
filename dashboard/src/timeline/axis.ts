// The axis of time above the bars: round steps, as many as there is room for.

const STEPS = [1, 2, 5];
/** The room that the text of a step needs. */
const STEP_PX = 80;

/** Round times from 0 up to `length` ms, at most one each STEP_PX of `width` px. */
export function ticksOf(length: number, width: number): number[] {
  const most = Math.max(1, Math.floor(width / STEP_PX));
  let step = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, length / most))));
  const unit = step;
  for (const factor of [...STEPS, 10]) {
    step = unit * factor;
    if (length / step <= most) break;
  }
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step);
}

export function tickText(ms: number): string {
  if (ms === 0) return '0';
  if (ms < 1_000) return `${ms}ms`;
  return ms < 600_000 ? `${ms / 1_000}s` : `${Math.round(ms / 60_000)}m`;
}
