// Both servers without a port: a program that has them in its own process calls them as functions, and needs no token.

import { analyticsServer } from './analytics.ts';
import { listingsById, listingsServer, type Report } from './listings.ts';

type Fetch = typeof globalThis.fetch;

/** @param send does what the example does instead of sending mail */
export function inProcess(send: (report: Report) => Promise<void>): Record<'listings' | 'analytics', Fetch> {
  const listings = listingsServer(send);
  const analytics = analyticsServer(async (ids) => listingsById(ids));
  return {
    listings: (input, init) => listings.fetch(new Request(input, init)),
    analytics: (input, init) => analytics.fetch(new Request(input, init)),
  };
}
