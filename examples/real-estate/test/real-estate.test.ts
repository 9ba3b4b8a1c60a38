// The servers of the example as clients see them, at ports and with tokens: the official client and the gateway's own. What the program
// that they are made after did wrong is a claim here.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ROOT, startProcess } from '../../../test-support/process.ts';
import { analyticsServer } from '../analytics.ts';
import { AREAS } from '../data/areas.ts';
import { LISTINGS } from '../data/listings.ts';
import { METRICS } from '../data/metrics.ts';
import { listingsServer, type Report } from '../listings.ts';
import { listingsAt } from '../listings-client.ts';
import { serve } from '../serve.ts';

const SECRETS = { listings: 'l'.repeat(40), analytics: 'a'.repeat(40) };
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const sent: Report[] = [];
const servers: Server[] = [];
let urls: Record<'listings' | 'analytics', string>;

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;

beforeAll(async () => {
  const at = { host: '127.0.0.1', port: 0 };
  const handler = listingsServer(async (report) => void sent.push(report));
  const issuers = ['llm-streamer', 'analytics'];
  const listings = await serve({ ...at, handler, audience: 'listings', issuers, secret: SECRETS.listings });
  const analytics = await serve({
    ...at,
    handler: analyticsServer(listingsAt(urlOf(listings), SECRETS.listings)),
    audience: 'analytics',
    issuers: ['llm-streamer'],
    secret: SECRETS.analytics,
  });
  servers.push(listings, analytics);
  urls = { listings: urlOf(listings), analytics: urlOf(analytics) };
});

afterAll(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
});

function token(
  audience: string,
  secret: string,
  { lifetime = '60s', issuer = 'llm-streamer' } = {},
): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('user:ann')
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime(lifetime)
    .sign(new TextEncoder().encode(secret));
}

type Versions = 'auto' | 'legacy';

async function call(name: string, args: object, meta?: object, mode: Versions = 'auto', at?: string) {
  const server = name.endsWith('Listings') || name.startsWith('send') ? 'listings' : 'analytics';
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const authorization = `Bearer ${await token(server, SECRETS[server])}`;
  const transport = new StreamableHTTPClientTransport(new URL(at ?? urls[server]), {
    requestInit: { headers: { authorization } },
  });
  await client.connect(transport);
  try {
    const result = await client.callTool({
      name,
      arguments: { ...args },
      ...(meta && { _meta: { ...meta } }),
    });
    const [{ text = '' } = {}] = result.content as { text?: string }[];
    return { isError: result.isError === true, text, value: () => JSON.parse(text) };
  } finally {
    await client.close();
  }
}

it('the data have the shape and the numbers of the program that they are made after', () => {
  const count = (wanted: (one: (typeof LISTINGS)[number]) => boolean) => LISTINGS.filter(wanted).length;
  expect(LISTINGS).toHaveLength(20);
  expect(
    ['Portland', 'Seattle', 'Bellevue'].map((city) => count(({ address }) => address.city === city)),
  ).toEqual([11, 5, 2]);
  expect(['Active', 'Pending', 'Sold'].map((status) => count((one) => one.status === status))).toEqual([
    14, 3, 3,
  ]);
  const prices = LISTINGS.map(({ price }) => price);
  expect([Math.min(...prices), Math.max(...prices)]).toEqual([425_000, 2_200_000]);
  expect(METRICS.map(({ listingId }) => listingId)).toEqual(LISTINGS.map(({ listingId }) => listingId));
  expect(AREAS).toHaveLength(5);
});

describe('findListings', () => {
  it.each<Versions>(['auto', 'legacy'])('finds what people ask for (%s)', async (mode) => {
    const asked = { city: 'Portland', minBedrooms: 3, maxPrice: 900_000 };
    const found = (await call('findListings', asked, undefined, mode)).value();
    expect(found).toHaveLength(7);
    expect(found.filter(({ status }: { status: string }) => status === 'Active')).toHaveLength(5);
  });

  it.each([
    [{ city: 'portland' }, 11],
    [{ state: 'Oregon' }, 11],
    [{ state: 'wa', status: 'Sold' }, 2],
    [{ city: 'constructor' }, 0],
    [{ listingIds: ['L001', 'L020'] }, 2],
    [{}, 20],
  ])('with %j finds %i', async (asked, count) => {
    expect((await call('findListings', asked)).value()).toHaveLength(count);
  });
});

describe('sendListingReport', () => {
  const report = { listingIds: ['L001', 'L002'], recipientEmail: 'ann@example.com' };

  it('sends once for one call, however often that comes, and again for another', async () => {
    sent.length = 0;
    for (const key of ['k1', 'k1', 'k2']) {
      const { text } = await call('sendListingReport', report, { 'llm-streamer/idempotency-key': key });
      expect(text).toContain('Report with 2 listings sent to ann@example.com');
    }
    expect(sent).toHaveLength(2);
    const { text } = await call('sendListingReport', { ...report, listingIds: ['L001'] });
    expect(text).toContain('Report with 1 listing sent to ann@example.com');
  });

  it.each([
    [
      'unknown ids',
      { ...report, listingIds: ['L001', 'L999'] },
      'There is no listing L999; there are L001 to L020.',
    ],
    ['no ids', { ...report, listingIds: [] }, 'listingIds'],
    ['an address that is none', { ...report, recipientEmail: 'ann' }, 'recipientEmail'],
    ['nothing', {}, 'recipientEmail'],
  ])('sends nothing with %s, and says what is wrong', async (_, args, said) => {
    sent.length = 0;
    const { isError, text } = await call('sendListingReport', args);
    expect({ isError, sent: sent.length }).toEqual({ isError: true, sent: 0 });
    expect(text).toContain(said);
    expect(text).not.toMatch(/Cannot read|\.ts\b|at .*:\d/);
  });
});

describe('analytics', () => {
  it.each(['Portland, OR', 'portland', 'Portland, oregon'])('knows the market of %s', async (area) => {
    expect((await call('getMarketAnalysis', { area })).value().area).toBe('Portland, OR');
  });

  it.each(['constructor', '__proto__', 'Springfield', ''])(
    'names the markets that it knows, asked for "%s"',
    async (area) => {
      const { isError, text } = await call('getMarketAnalysis', { area });
      expect(isError).toBe(true);
      expect(text).toContain('Portland, OR; Seattle, WA; Bellevue, WA; Kirkland, WA; Redmond, WA');
    },
  );

  it('counts a listing once that is named twice', async () => {
    const { metrics, summary } = (
      await call('generatePerformanceReport', { listingIds: ['L001', 'L002', 'L003', 'L003'] })
    ).value();
    expect([metrics.length, summary.totalViews]).toEqual([3, 5_616]);
  });

  it('says which listings there are, asked for another', async () => {
    const { isError, text } = await call('findListings', { listingIds: ['L999'] });
    expect([isError, text]).toEqual([
      true,
      expect.stringContaining('There is no listing L999; there are L001'),
    ]);
  });

  it('reports on listings that it gets from their server with a token of its own', async () => {
    const { listings, metrics, summary } = (
      await call('generatePerformanceReport', { listingIds: ['L001', 'L002', 'L003'] })
    ).value();
    expect(listings.map(({ listingId }: { listingId: string }) => listingId)).toEqual([
      'L001',
      'L002',
      'L003',
    ]);
    expect(metrics).toHaveLength(3);
    expect(summary).toMatchObject({ totalViews: 5_616, topPerformer: 'L003', recommendations: [] });
  });

  it('gives advice that follows from figures, and none without any', async () => {
    const { summary } = (await call('generatePerformanceReport', { listingIds: ['L004', 'L009'] })).value();
    expect(summary.recommendations).toHaveLength(3);
    const none = await call('generatePerformanceReport', { listingIds: [] });
    expect(none.isError).toBe(true);
    expect(none.text).not.toContain('NaN');
  });
});

describe('a token', () => {
  const ask = (authorization?: string) =>
    fetch(urls.listings, { method: 'POST', body: '{}', headers: authorization ? { authorization } : {} });
  const none = `${btoa('{"alg":"none"}')}.${btoa('{"aud":"listings"}')}.`.replaceAll('=', '');

  it.each<[string, () => Promise<string | undefined> | string | undefined, number]>([
    ['missing', () => undefined, 401],
    ['of another server', () => token('analytics', SECRETS.listings), 403],
    ['of another secret', () => token('listings', SECRETS.analytics), 401],
    ['that has expired', () => token('listings', SECRETS.listings, { lifetime: '-5s' }), 401],
    ['of another issuer', () => token('listings', SECRETS.listings, { issuer: 'a-user' }), 401],
    ['with no signature', () => none, 401],
    ['that is a word', () => 'secret', 401],
  ])('%s is refused', async (_, make, status) => {
    const made = await make();
    const answer = await ask(made && `Bearer ${made}`);
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answer.json()).toEqual({ error: 'A token for this server is needed.' });
  });

  it('is not needed to ask whether the server is well', async () => {
    const answer = await fetch(new URL('/health', urls.listings));
    expect(await answer.json()).toEqual({ status: 'ok', service: 'listings' });
  });
});

describe('a server that serve() serves', () => {
  it('does not start without a secret that is long enough, and says so', async () => {
    const handler = listingsServer(async () => undefined);
    const at = { handler, audience: 'weather', issuers: ['llm-streamer'], host: '127.0.0.1', port: 0 };
    for (const secret of ['', 'x'.repeat(31)])
      await expect(serve({ ...at, secret })).rejects.toThrow(
        'secret of weather: must be set to a secret of at least 32 bytes',
      );
  });

  it('tells a tool in whose name it is called, which call it is, and that nobody waits any more', async () => {
    const begun = Promise.withResolvers<[subject: unknown, key: unknown]>();
    const stopped = Promise.withResolvers<void>();
    const handler = createMcpHandler(() => {
      const own = new McpServer({ name: 'slow', version: '1' });
      own.registerTool('wait', { inputSchema: z.object({}) }, async (_, { mcpReq, http }) => {
        begun.resolve([http?.authInfo?.clientId, mcpReq._meta?.['llm-streamer/idempotency-key']]);
        await once(mcpReq.signal, 'abort');
        stopped.resolve();
        return { content: [] };
      });
      return own;
    });
    const secret = 's'.repeat(40);
    const at = { handler, audience: 'slow', issuers: ['llm-streamer'], host: '127.0.0.1', port: 0 };
    const server = await serve({ ...at, secret });
    servers.push(server);
    const client = new Client({ name: 'test', version: '1' });
    const headers = { authorization: `Bearer ${await token('slow', secret)}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(urlOf(server)), { requestInit: { headers } }),
    );
    const _meta = { 'llm-streamer/idempotency-key': 'k1' };
    client.callTool({ name: 'wait', arguments: {}, _meta }).catch(() => undefined);
    expect(await begun.promise).toEqual(['user:ann', 'k1']);
    await client.close();
    await stopped.promise;
  });
});

describe('npm run tools', () => {
  const env = { LISTINGS_TOKEN: SECRETS.listings, ANALYTICS_TOKEN: SECRETS.analytics };

  it('serves both, says where, and ends when it is asked to', async () => {
    const process = startProcess(['examples/real-estate/main.ts', '--port', '0'], { env });
    const url = (await process.saw(/analytics: http:\S+/)).replace('analytics: ', '');
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    expect(process.output).not.toContain(SECRETS.listings);
    expect(await process.stop()).toEqual({ code: 0, signal: null });
  });

  it.runIf(hasIpv6)('finds the listings at an address of IPv6, too', async () => {
    const options = ['--host', '::1', '--port', '0'];
    const process = startProcess(['examples/real-estate/main.ts', ...options], { env });
    const url = (await process.saw(/analytics: http:\S+/)).replace('analytics: ', '');
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    await process.stop();
  });

  it('says on stderr why a tool has failed, which the client is not told', async () => {
    const gone = { ...env, LISTINGS_URL: 'http://127.0.0.1:1/mcp' };
    const process = startProcess(['examples/real-estate/main.ts', 'analytics', '--port', '0'], { env: gone });
    const analytics = (await process.saw(/analytics: http:\S+/)).replace('analytics: ', '');
    const report = await call(
      'generatePerformanceReport',
      { listingIds: ['L001'] },
      undefined,
      'auto',
      analytics,
    );
    expect(report).toMatchObject({ isError: true, text: 'The tool could not do that at the moment.' });
    expect(process.stderr).toContain('fetch failed');
    await process.stop();
  });

  it('without secrets says in one line what to set', async () => {
    const process = startProcess(['examples/real-estate/main.ts', '--port', '0'], { env: {}, cwd: ROOT });
    expect((await process.exited).code).toBe(2);
    expect(process.stderr).toMatch(
      /^tools: LISTINGS_TOKEN: must be set to a secret of at least 32 bytes.*\n$/,
    );
  });
});
