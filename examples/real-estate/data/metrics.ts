// How each house of the example is looked at on its page, made up.

export interface Metrics {
  listingId: string;
  pageViews: number;
  saves: number;
  inquiries: number;
  /** Days. */
  timeOnMarket: number;
  clickThroughRate: number;
  conversionRate: number;
  lastUpdated: string;
}

type Row = readonly [pageViews: number, saves: number, inquiries: number, days: number, clicks: number];

const ROWS: readonly Row[] = [
  [1_940, 122, 187, 12, 0.071],
  [1_466, 97, 131, 19, 0.064],
  [2_210, 158, 240, 9, 0.083],
  [884, 41, 52, 34, 0.038],
  [1_120, 66, 71, 47, 0.045],
  [2_530, 171, 263, 8, 0.09],
  [1_318, 80, 118, 22, 0.058],
  [1_702, 109, 149, 16, 0.066],
  [760, 33, 44, 41, 0.035],
  [1_285, 74, 96, 28, 0.052],
  [1_571, 92, 144, 14, 0.069],
  [1_833, 116, 139, 18, 0.061],
  [942, 48, 63, 31, 0.043],
  [1_407, 88, 92, 37, 0.05],
  [2_096, 143, 178, 21, 0.074],
  [1_198, 69, 87, 26, 0.049],
  [2_745, 190, 151, 58, 0.055],
  [1_364, 85, 104, 24, 0.057],
  [1_089, 61, 79, 33, 0.047],
  [1_655, 101, 162, 11, 0.072],
];

export const METRICS: readonly Metrics[] = ROWS.map(
  ([pageViews, saves, inquiries, timeOnMarket, clickThroughRate], i) => ({
    listingId: `L${String(i + 1).padStart(3, '0')}`,
    pageViews,
    saves,
    inquiries,
    timeOnMarket,
    clickThroughRate,
    conversionRate: Number((inquiries / pageViews).toFixed(3)),
    lastUpdated: '2026-11-20T08:00:00Z',
  }),
);
