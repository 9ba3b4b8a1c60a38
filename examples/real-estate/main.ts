// `npm run tools`: both servers, each at its port and with tokens. With the name of one of them, that one alone.

import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { analyticsServer } from './analytics.ts';
import { readListingsUrl, readSecrets } from './config.ts';
import { listingsServer, type Report } from './listings.ts';
import { ANALYTICS, listingsAt } from './listings-client.ts';
import { serve } from './serve.ts';

const HELP = `npm run tools: the MCP servers of the example, for agents

  npm run tools -- [listings|analytics] [options]

  --host H       where they listen (127.0.0.1)
  --port N       the port of listings; that of analytics is the next one (3001). With one server, its port (3001, 3002)
  --help         this text

Reads LISTINGS_TOKEN and ANALYTICS_TOKEN, the secrets with which tokens are signed, also from .env; and LISTINGS_URL, where
analytics alone finds the listings (http://127.0.0.1:3001/mcp).
`;

/** Who may sign tokens for listings. */
const ISSUERS = ['llm-streamer', ANALYTICS];

try {
  await run();
} catch (error) {
  process.stderr.write(`tools: ${(error as Error).message}\n`);
  process.exit(2);
}

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const [name] = positionals;
  if (positionals.length > 1 || !['listings', 'analytics', undefined].includes(name))
    throw new Error('names listings, analytics or neither; see --help');
  const given = values.port === undefined ? undefined : portOf(values.port);
  const { host } = values;
  try {
    process.loadEnvFile();
  } catch {
    // There is no .env.
  }
  const secrets = readSecrets();

  let listingsUrl = readListingsUrl() ?? 'http://127.0.0.1:3001/mcp';
  if (name !== 'analytics') {
    const url = await listen({
      name: 'listings',
      port: given ?? 3_001,
      issuers: ISSUERS,
      handler: listingsServer(write),
    });
    if (name === undefined) listingsUrl = url;
  }
  if (name !== 'listings') {
    const handler = analyticsServer(listingsAt(listingsUrl, secrets.listings));
    const port = given === undefined ? 3_002 : name === undefined && given !== 0 ? given + 1 : given;
    await listen({ name: 'analytics', port, issuers: ISSUERS.slice(0, 1), handler });
  }

  async function listen(server: {
    name: 'listings' | 'analytics';
    port: number;
    issuers: readonly string[];
    handler: ReturnType<typeof listingsServer>;
  }): Promise<string> {
    const { name: audience, port, issuers, handler } = server;
    const http = await serve({ handler, audience, issuers, secret: secrets[audience], host, port });
    const reached = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
    const url = `http://${reached}:${(http.address() as AddressInfo).port}/mcp`;
    process.stdout.write(`${audience}: ${url}\n`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        http.close();
        http.closeAllConnections();
      });
    return url;
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new Error('--port: must be a whole number from 0 to 65535');
}

/** Instead of mail: a line that `pipe` and `collect` make an entry of. */
async function write({ listings }: Report): Promise<void> {
  const ids = listings.map(({ listingId }) => listingId);
  process.stdout.write(
    `${JSON.stringify({ level: 'info', msg: 'a listing report was sent', listings: ids })}\n`,
  );
}
