// `npm run dev`: the development server passes requests to the gateway, as if the gateway had served the page.
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../test-support/gateway.ts';

let gateway: TestGateway;
let server: ViteDevServer;
let url: string;

beforeAll(async () => {
  gateway = await openGateway();
  process.env.GATEWAY_URL = `http://127.0.0.1:${gateway.port}`;
  server = await createServer({
    root: fileURLToPath(new URL('..', import.meta.url)),
    logLevel: 'silent',
    optimizeDeps: { noDiscovery: true },
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
  });
  await server.listen();
  const address = server.httpServer?.address() as AddressInfo | undefined;
  url = `http://127.0.0.1:${address?.port}`;
});
afterAll(async () => {
  delete process.env.GATEWAY_URL;
  await server.close();
  await gateway.close();
});

it.each(['/healthz', '/readyz', '/sse/health', '/metrics', '/api/channels', '/stream?level=loud'])(
  '%s is answered by the gateway',
  async (path) => {
    const answer = await fetch(`${url}${path}`);
    const own = await fetch(`${gateway.url}${path}`);
    expect(answer.status).toBe(own.status);
    expect(answer.headers.get('content-type')).toBe(own.headers.get('content-type'));
  },
);

it('a change from the page is one from its own site', async () => {
  const body = JSON.stringify({ channel: 'a', msg: 'from the page' });
  const answer = await fetch(`${url}/api/publish`, { method: 'POST', headers: { origin: url }, body });
  expect(await answer.json()).toEqual({ ids: [expect.any(String)] });
});
