// How analytics asks the listings server for listings: over MCP, with a token of its own.

import { createMCPClient } from '@ai-sdk/mcp';
import { SignJWT } from 'jose';
import type { Listing } from './data/listings.ts';

/** Who signs, and for whom. */
export const ANALYTICS = 'analytics';
const TIMEOUT_MS = 5_000;

export function listingsAt(
  url: string,
  secret: string,
): (ids: readonly string[]) => Promise<readonly Listing[]> {
  return async (ids) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(ANALYTICS)
      .setAudience('listings')
      .setSubject(ANALYTICS)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(new TextEncoder().encode(secret));
    const client = await createMCPClient({
      transport: { type: 'http', url, headers: { authorization: `Bearer ${token}` } },
      initializationOptions: { signal },
    });
    try {
      const result = await client.callTool({
        name: 'findListings',
        arguments: { listingIds: ids },
        options: { signal },
      });
      const [part] = (result.content ?? []) as { type: string; text?: string }[];
      if (result.isError || part?.text === undefined) throw new Error('the listings are not there');
      return JSON.parse(part.text) as Listing[];
    } finally {
      await client.close();
    }
  };
}
