// What is known of the identity provider is asked for when it is needed, seldom, and found as soon as it can be.
import { createServer } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IdentityProvider } from '../../../src/auth/sign-in/identity-provider.ts';
import { listen, SECRET, stop } from './open-id.ts';

let away: boolean;
let asked: number;
let now: number;
let running: Awaited<ReturnType<typeof listen>>;
let provider: IdentityProvider;
beforeEach(async () => {
  away = true;
  asked = 0;
  now = Date.now();
  const server = createServer((request, response) => {
    asked += 1;
    if (away) return void response.writeHead(503).end();
    const document = { issuer: running.url, token_endpoint: `${running.url}/token` };
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify(request.url?.startsWith('/.well-known/') ? document : {}));
  });
  running = await listen('localhost', server);
  provider = new IdentityProvider({ issuer: running.url, clientId: 'streamer', secret: SECRET }, () => now);
});
afterEach(() => stop(running.server));

it('is not asked before somebody signs in', async () => {
  await fetch(running.url); // what was asked before this has arrived then
  expect(asked).toBe(1);
});

it('is asked once by a hundred who come together while it is away, and found five seconds later', async () => {
  const all = await Promise.allSettled(Array.from({ length: 100 }, () => provider.configuration()));
  expect(all.every(({ status }) => status === 'rejected')).toBe(true);
  await expect(provider.configuration()).rejects.toMatchObject({ code: 'provider_unavailable' });
  expect(asked).toBe(1);
  away = false;
  now += 5_000;
  expect((await provider.configuration()).serverMetadata().token_endpoint).toBe(`${running.url}/token`);
  expect(asked).toBe(2);
});

it('that goes away is remembered, and one that comes back is asked again after an hour', async () => {
  away = false;
  await provider.configuration();
  away = true;
  now += 3_600_001;
  await provider.configuration();
  await provider.configuration();
  expect(asked).toBe(2);
});
