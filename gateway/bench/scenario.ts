// A scenario: the same load on several designs, and the bars that the figures must reach, each a ratio inside one run.

import type { Figures } from './table.ts';
import { short } from './table.ts';

export interface Context {
  /** Length of one measurement. */
  seconds: number;
  /** A count of viewers, channels or entries, made smaller by `--scale`; never below `least`. */
  scaled(count: number, least?: number): number;
  /** What the earlier designs have measured in this round. */
  round: Readonly<Record<string, Figures>>;
}

/** Undefined if the design is not installed. */
export type Measure = (context: Context) => Promise<Figures | undefined>;

export interface Bar {
  says: string;
  /** From the medians of all rounds, by design; undefined if a design is missing. */
  of(designs: Readonly<Record<string, Figures>>): number | undefined;
  least?: number;
  most?: number;
}

export interface Scenario {
  name: string;
  about: string;
  /** In the order of measuring. */
  designs: Readonly<Record<string, Measure>>;
  bars: readonly Bar[];
  /** Further notes on a row, from its medians. */
  remarks?(figures: Figures): readonly string[];
}

/** What `pick` gives for the first design, divided by what it gives for the second. */
export function ratio(
  pick: (figures: Figures) => number | undefined,
  first: string,
  second: string,
): Bar['of'] {
  return (designs) => {
    const [above, below] = [designs[first], designs[second]].map((figures) => figures && pick(figures));
    return above === undefined || below === undefined ? undefined : above / below;
  };
}

export function demand({ least, most }: Bar): string {
  return least === undefined ? `≤ ${most}` : `≥ ${least}`;
}

/** `pass`, `miss`, or `not measured` with the figure. */
export function judge(bar: Bar, designs: Readonly<Record<string, Figures>>): string {
  const figure = bar.of(designs);
  if (figure === undefined || Number.isNaN(figure)) return `${bar.says} ${demand(bar)}: not measured`;
  const passed =
    figure >= (bar.least ?? Number.NEGATIVE_INFINITY) && figure <= (bar.most ?? Number.POSITIVE_INFINITY);
  return `${bar.says} ${demand(bar)}: ${short(figure)} ${passed ? 'pass' : 'miss'}`;
}
