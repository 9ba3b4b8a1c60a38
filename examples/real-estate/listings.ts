// An MCP server with the listings of homes that are for sale. One tool reads, one has an effect, which it has once for each idempotency key.

import { createMcpHandler, type McpHttpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { answer, guarded, refusal } from './answers.ts';
import { LISTINGS, type Listing, STATUSES } from './data/listings.ts';
import { sameCity, sameState } from './places.ts';

/** Where the gateway says which call this is. */
const IDEMPOTENCY_KEY = 'llm-streamer/idempotency-key';
/** Calls that are remembered, the newest of them. */
const MAX_REMEMBERED = 1_000;
const MAX_BODY_BYTES = 262_144;

export interface Report {
  listings: readonly Listing[];
  recipientEmail: string;
}

export const listingIds = z
  .array(z.string().regex(/^L\d{3}$/, 'ids look like L001'))
  .min(1)
  .max(LISTINGS.length)
  .describe('Ids of listings, like L001, as findListings gives them');

/** An id that is given twice is one listing. */
export function listingsById(ids: readonly string[]): Listing[] {
  return [...new Set(ids)].flatMap((id) => LISTINGS.find(({ listingId }) => listingId === id) ?? []);
}

/** Those of the ids that no listing has, as an error that says what there is; undefined if there are none. */
export function unknownIds(ids: readonly string[]): string | undefined {
  const unknown = ids.filter((id) => !LISTINGS.some(({ listingId }) => listingId === id));
  if (unknown.length === 0) return undefined;
  return `There is no listing ${unknown.join(', ')}; there are ${LISTINGS[0]?.listingId} to ${LISTINGS.at(-1)?.listingId}.`;
}

/** @param send does what the example does instead of sending mail */
export function listingsServer(send: (report: Report) => Promise<void>): McpHttpHandler {
  // What is remembered belongs to all requests; the server below is made anew for each.
  const sent = new Map<string, Promise<void>>();
  const once = (key: string | undefined, report: Report): Promise<void> => {
    if (key === undefined) return send(report);
    const before = sent.get(key);
    if (before !== undefined) return before;
    const now = send(report);
    sent.set(key, now);
    now.catch(() => sent.delete(key)); // one that failed may be tried again
    if (sent.size > MAX_REMEMBERED) sent.delete(sent.keys().next().value as string);
    return now;
  };

  const create = () => {
    const server = new McpServer({ name: 'listings', version: '1.0.0' });
    server.registerTool(
      'findListings',
      {
        title: 'Find listings',
        description: 'Finds homes for sale. Give only what was asked for; without arguments it lists all.',
        inputSchema: z.object({
          city: z.string().max(100).optional().describe('A city, like Portland'),
          state: z.string().max(100).optional().describe('A state, like OR or Oregon'),
          minBedrooms: z.number().min(0).max(20).optional().describe('At least this many bedrooms'),
          maxPrice: z.number().min(0).optional().describe('At most this price, in dollars'),
          status: z.enum(STATUSES).optional(),
          listingIds: listingIds.optional(),
        }),
        annotations: {
          readOnlyHint: true,
          destructiveHint: false,
          idempotentHint: true,
          openWorldHint: false,
        },
      },
      guarded(({ city, state, minBedrooms, maxPrice, status, listingIds: ids }) => {
        const unknown = ids && unknownIds(ids);
        if (unknown !== undefined) return refusal(unknown);
        return answer(
          LISTINGS.filter(
            ({ listingId, address, price, bedrooms, status: its }) =>
              (city === undefined || sameCity(address.city, city)) &&
              (state === undefined || sameState(address.state, state)) &&
              (minBedrooms === undefined || bedrooms >= minBedrooms) &&
              (maxPrice === undefined || price <= maxPrice) &&
              (status === undefined || its === status) &&
              (ids === undefined || ids.includes(listingId)),
          ),
        );
      }),
    );
    server.registerTool(
      'sendListingReport',
      {
        title: 'Send a listing report',
        description: 'Sends a report about listings to an e-mail address.',
        inputSchema: z.object({ listingIds, recipientEmail: z.email().max(254) }),
        annotations: {
          readOnlyHint: false,
          destructiveHint: false,
          idempotentHint: false,
          openWorldHint: true,
        },
      },
      guarded(async ({ listingIds: ids, recipientEmail }, { mcpReq }) => {
        const unknown = unknownIds(ids);
        if (unknown !== undefined) return refusal(unknown);
        const key = mcpReq._meta?.[IDEMPOTENCY_KEY];
        const listings = listingsById(ids);
        await once(typeof key === 'string' ? key : undefined, { listings, recipientEmail });
        return answer({
          success: true,
          message: `Report with ${listings.length} ${listings.length === 1 ? 'listing' : 'listings'} sent to ${recipientEmail}`,
        });
      }),
    );
    return server;
  };
  return createMcpHandler(create, { maxRequestBodySize: MAX_BODY_BYTES });
}
