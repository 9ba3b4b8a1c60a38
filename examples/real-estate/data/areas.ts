// The markets of the example, made up.

export interface Area {
  area: string;
  averagePrice: number;
  /** Per cent in a year. */
  priceChange: number;
  /** Days. */
  averageTimeOnMarket: number;
  totalListings: number;
  soldListings: number;
  pendingListings: number;
  competitionLevel: 'Low' | 'Medium' | 'High';
  trends: { priceDirection: 'Up' | 'Stable' | 'Down'; marketActivity: string };
}

export const AREAS: readonly Area[] = [
  area('Portland, OR', 668_000, 2.4, 27, 1_284, 402, 219, 'Medium', 'Up', 'Steady'),
  area('Seattle, WA', 962_000, 4.1, 19, 1_655, 611, 348, 'High', 'Up', 'Brisk'),
  area('Bellevue, WA', 1_540_000, 3.2, 24, 388, 121, 77, 'High', 'Up', 'Brisk'),
  area('Kirkland, WA', 1_265_000, 0.3, 31, 241, 68, 39, 'Medium', 'Stable', 'Steady'),
  area('Redmond, WA', 1_090_000, -1.2, 36, 207, 54, 28, 'Low', 'Down', 'Slow'),
];

function area(
  name: string,
  averagePrice: number,
  priceChange: number,
  averageTimeOnMarket: number,
  totalListings: number,
  soldListings: number,
  pendingListings: number,
  competitionLevel: Area['competitionLevel'],
  priceDirection: Area['trends']['priceDirection'],
  marketActivity: string,
): Area {
  return {
    area: name,
    averagePrice,
    priceChange,
    averageTimeOnMarket,
    totalListings,
    soldListings,
    pendingListings,
    competitionLevel,
    trends: { priceDirection, marketActivity },
  };
}
