import { expect, it } from 'vitest';
import { known } from '../../src/charts/known.ts';
import { Series } from '../../src/charts/series.ts';
import { entry } from '../rows.ts';

it('gives null for seconds before the first entry, and a count for every second after it', () => {
  const series = new Series();
  const first = Math.floor(Date.now() / 1000) - 5;
  series.countEntry(entry({ time: first * 1000 }));
  series.countEntry(entry({ time: (first + 2) * 1000 }));
  expect(known(series, series.levels[1] ?? [], first + 3, 6)).toEqual([null, null, 1, 0, 1, 0]);
});
