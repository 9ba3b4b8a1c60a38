// The performance report of some listings: what their figures say together, and what to do about it.

import { randomUUID } from 'node:crypto';
import type { Listing } from './data/listings.ts';
import type { Metrics } from './data/metrics.ts';

const LONG_DAYS = 30;
const LOW_CONVERSION = 0.08;
const FEW_VIEWS = 1_000;

/** @param metrics of at least one listing */
export function performanceReport(listings: readonly Listing[], metrics: readonly Metrics[]) {
  const best = metrics.reduce((a, b) => (b.conversionRate > a.conversionRate ? b : a));
  return {
    reportId: `R-${randomUUID().slice(0, 8)}`,
    listingIds: metrics.map(({ listingId }) => listingId),
    generatedAt: new Date().toISOString(),
    summary: {
      totalViews: sum(metrics, ({ pageViews }) => pageViews),
      totalInquiries: sum(metrics, ({ inquiries }) => inquiries),
      averageTimeOnMarket: Math.round(mean(metrics, ({ timeOnMarket }) => timeOnMarket)),
      topPerformer: best.listingId,
      recommendations: recommendations(metrics),
    },
    listings,
    metrics,
  };
}

function recommendations(metrics: readonly Metrics[]): string[] {
  const advice = [
    mean(metrics, ({ timeOnMarket }) => timeOnMarket) > LONG_DAYS &&
      'Look at the prices again: these homes are on the market for long.',
    mean(metrics, ({ conversionRate }) => conversionRate) < LOW_CONVERSION &&
      'Better photos and descriptions could turn more visits into inquiries.',
    mean(metrics, ({ pageViews }) => pageViews) < FEW_VIEWS && 'Advertise more: few people see these homes.',
  ];
  return advice.filter((each) => each !== false);
}

function sum(metrics: readonly Metrics[], figure: (one: Metrics) => number): number {
  return metrics.reduce((total, one) => total + figure(one), 0);
}

function mean(metrics: readonly Metrics[], figure: (one: Metrics) => number): number {
  return sum(metrics, figure) / metrics.length;
}
