// Numbers as a line of bars, a character for each.
const BARS = '▁▂▃▄▅▆▇█';

/** The highest number has the highest bar, from 1 on. A space stands for NaN: for a time of which nothing is known. */
export function sparkline(values: readonly number[]): string {
  let highest = 1;
  for (const value of values) if (value > highest) highest = value;
  return values.map((value) => (Number.isNaN(value) ? ' ' : BARS[Math.ceil((value / highest) * 7)])).join('');
}
