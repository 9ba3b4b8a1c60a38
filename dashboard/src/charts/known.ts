// Values to draw. Seconds before the first known entry are not zero but unknown, so that nothing is drawn for them.
import type { Series } from './series.ts';

/** Like `series.window`, with null for unknown seconds. */
export function known(
  series: Series,
  values: ArrayLike<number>,
  end: number,
  length: number,
): (number | null)[] {
  const first = end - length + 1;
  return series.window(values, end, length).map((value, i) => (first + i < series.oldest ? null : value));
}
