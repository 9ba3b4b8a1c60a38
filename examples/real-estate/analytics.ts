// An MCP server with figures about listings and markets. It changes nothing. What it needs of the listings it asks for with a right of its
// own, whoever calls it.

import { createMcpHandler, type McpHttpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { answer, guarded, refusal } from './answers.ts';
import { AREAS } from './data/areas.ts';
import type { Listing } from './data/listings.ts';
import { METRICS, type Metrics } from './data/metrics.ts';
import { listingIds, unknownIds } from './listings.ts';
import { namesArea } from './places.ts';
import { performanceReport } from './report.ts';

const MAX_BODY_BYTES = 262_144;
const READ_ONLY = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};

/** @param listingsOf fetches listings from the server that has them */
export function analyticsServer(
  listingsOf: (ids: readonly string[]) => Promise<readonly Listing[]>,
): McpHttpHandler {
  const create = () => {
    const server = new McpServer({ name: 'analytics', version: '1.0.0' });
    server.registerTool(
      'getListingMetrics',
      {
        title: 'Metrics of listings',
        description: 'Views, saves, inquiries and analytics of listings.',
        inputSchema: z.object({ listingIds }),
        annotations: READ_ONLY,
      },
      guarded(({ listingIds: ids }) => {
        const unknown = unknownIds(ids);
        return unknown === undefined ? answer(metricsOf(ids)) : refusal(unknown);
      }),
    );
    server.registerTool(
      'getMarketAnalysis',
      {
        title: 'Analysis of a market',
        description: 'Prices, activity and trends of the market in an area.',
        inputSchema: z.object({ area: z.string().max(100).describe('A city, like Seattle, WA') }),
        annotations: READ_ONLY,
      },
      guarded(({ area }) => {
        const found = AREAS.find((each) => namesArea(area, each.area));
        if (found !== undefined) return answer(found);
        return refusal(`There is no such area; there are ${AREAS.map((each) => each.area).join('; ')}.`);
      }),
    );
    server.registerTool(
      'generatePerformanceReport',
      {
        title: 'Performance report',
        description: 'A report on how listings perform, with recommendations.',
        inputSchema: z.object({ listingIds }),
        annotations: READ_ONLY,
      },
      guarded(async ({ listingIds: ids }) => {
        const unknown = unknownIds(ids);
        if (unknown !== undefined) return refusal(unknown);
        return answer(performanceReport(await listingsOf(ids), metricsOf(ids)));
      }),
    );
    return server;
  };
  return createMcpHandler(create, { maxRequestBodySize: MAX_BODY_BYTES });
}

function metricsOf(ids: readonly string[]): Metrics[] {
  return [...new Set(ids)].flatMap((id) => METRICS.find(({ listingId }) => listingId === id) ?? []);
}
