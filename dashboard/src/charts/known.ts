// Values to draw: what was before the first entry known is not zero, it is nothing.
import type { Series } from './series.ts';

/** As `series.window`, with null for what is not known. */
export function known(
  series: Series,
  values: ArrayLike<number>,
  end: number,
  length: number,
): (number | null)[] {
  const first = end - length + 1;
  return series.window(values, end, length).map((value, i) => (first + i < series.oldest ? null : value));
}
