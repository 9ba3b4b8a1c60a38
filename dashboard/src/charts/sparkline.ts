// Numbers as a line of bars, a character for each.
const BARS = '▁▂▃▄▅▆▇█';

/** `least` or a higher number has the highest bar. A space stands for NaN: for a time of which nothing is known. */
export function sparkline(values: readonly number[], least = 1): string {
  let highest = least;
  for (const value of values) if (value > highest) highest = value;
  return values
    .map((value) => (Number.isNaN(value) ? ' ' : BARS[Math.ceil((value / (highest || 1)) * 7)]))
    .join('');
}
