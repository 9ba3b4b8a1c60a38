// Sign-in with a real OpenID provider, through real redirects: who comes in and with what, and that nobody comes in by replaying,
// exchanging or changing what is sent to and fro.
import { createServer, type Server } from 'node:http';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../../test-support/chromium.ts';
import { eventually } from '../../../../test-support/process.ts';
import { callbackUrl } from '../../../src/auth/sign-in/oidc.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { oidcRoutes } from '../../../src/http/auth/oidc.ts';
import { problems } from '../../../src/http/plugins/problems.ts';
import {
  listen,
  startGateway,
  stop,
  TestBrowser,
  type TestGateway,
  TestProvider,
} from '../../auth/sign-in/open-id.ts';

const FAILED = '/#sign-in=login_failed';
const AWAY = '/#sign-in=provider_unavailable';

let servers: Server[];
let urls: string[];
let provider: TestProvider;
let store: FileAuthStore;
let gateway: TestGateway;
let browser: TestBrowser;

// The provider must know the addresses of the gateways, so their servers listen first.
beforeAll(async () => {
  const listening = await Promise.all([listen('127.0.0.1'), listen('127.0.0.1')]);
  servers = listening.map(({ server }) => server);
  urls = listening.map(({ url }) => url);
  provider = await TestProvider.start(urls.map(callbackUrl));
});
afterAll(async () => {
  await Promise.all([provider.stop(), ...servers.map(stop)]);
});
beforeEach(async () => {
  store = await FileAuthStore.open();
  gateway = await serve();
  browser = new TestBrowser();
});
afterEach(async () => {
  for (const server of servers) clear(server);
  await store.close();
});

/** The server goes on listening for the next gateway. */
function clear(server: Server): void {
  for (const event of ['request', 'clientError', 'checkExpectation']) server.removeAllListeners(event);
}

async function serve(
  options: Partial<Parameters<typeof startGateway>[2]> = {},
  which = 0,
): Promise<TestGateway> {
  const server = servers[which] as Server;
  clear(server);
  return startGateway(server, urls[which] as string, { issuer: provider.issuer, store, ...options });
}

const isCallback = (url: string) => url.includes('/auth/oidc/callback');
const begin = (query = '') => `${gateway.url}/auth/oidc${query}`;
/** Signs in at the provider, and stops before the gateway hears of it. */
const beforeCallback = (from = browser) => from.visit(begin(), isCallback);
const pathOf = (url: string) => url.slice(new URL(url).origin.length);
const who = async (from = browser) => {
  const answer = await from.request(`${gateway.url}/who`);
  return answer.status === 200 ? ((await answer.json()) as Record<string, unknown>) : answer.status;
};

describe('somebody in a group that has a role', () => {
  it('is sent to the provider, and comes back as the person whom it knows, to the view that was left', async () => {
    const view = '?channels=logs%3A*&q=a+b';
    const at = await browser.visit(begin(`?${new URLSearchParams({ return: `/logs/${view}` })}`));
    expect(at).toBe(`${gateway.url}/${view}`);
    const principal = (await who()) as Record<string, unknown>;
    expect(principal).toMatchObject({
      kind: 'user',
      name: 'Alice A.',
      grants: { publish: ['*'], admin: false },
    });
    expect(principal.owner).toMatch(/^j-[a-z2-7]{20}$/);
    expect(principal.expires).toBeLessThanOrEqual(Date.now() + 12 * 3_600_000);
    expect(gateway.audited).toEqual([`login.ok user:${principal.owner}`]);
    const [session] = await store.sessionsOf(principal.owner as string);
    expect(session).toMatchObject({ user: principal.owner, address: '127.0.0.1' });
  });

  it('loses what his role loses, and may nothing when it is deleted', async () => {
    gateway = await serve({ variables: { OIDC_ROLES: 'developers=team' } });
    const grants = { read: ['logs*'], publish: ['logs:ci'], run: false, metrics: false, admin: false };
    await store.setRole({ name: 'team', grants });
    await browser.visit(begin());
    expect(await who()).toMatchObject({ grants: { publish: ['logs:ci'] } });
    await store.setRole({ name: 'team', grants: { ...grants, publish: [] } });
    expect(await who()).toMatchObject({ grants: { publish: [] } });
    await store.deleteRole('team');
    expect(await who()).toBe(401);
  });

  it('may have one group alone, as a text', async () => {
    browser.name = 'carol';
    await browser.visit(begin());
    expect(await who()).toMatchObject({ name: 'carol', grants: { run: true } });
  });

  it('may come back to another gateway than the one he left', async () => {
    const other = await serve({ publicUrl: urls[0] as string }, 1);
    const callback = await beforeCallback();
    for (const [name, value] of browser.cookies(gateway.url)) browser.cookies(other.url).set(name, value);
    const at = await browser.visit(callback.replace(gateway.url, other.url), (url) => pathOf(url) === '/');
    expect(pathOf(at)).toBe('/');
    const token = [...browser.cookies(other.url)].find(([name]) => !name.includes('oidc'));
    expect(token?.[1]).toMatch(/^lst_/);
  });

  it('gets cookies that no script reads, and the session’s is sent by no other site', async () => {
    const begun = await browser.request(begin());
    expect(begun.status).toBe(303);
    expect(begun.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^llm-streamer-oidc-\d+=[\w-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
    const ended = await browser.request(await beforeCallback());
    expect(ended.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^llm-streamer-oidc-\d+=; Max-Age=0; Path=\/; HttpOnly; SameSite=Lax$/),
      expect.stringMatching(/^llm-streamer-\d+=lst_\w{43}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
    expect(ended.headers.get('cache-control')).toBe('no-store');
  });
});

describe('45: nobody comes in', () => {
  const refused = async (url: string, from = browser) => {
    const at = await from.visit(url);
    expect(pathOf(at)).toBe(FAILED);
    expect(await who(from)).toBe(401);
  };

  it.each(['bob', 'dave', 'erin'])('without a group that has a role: %s', async (name) => {
    browser.name = name;
    await refused(begin());
    expect(gateway.audited).toEqual(['login.failed']);
  });

  it('whose role does not exist', async () => {
    gateway = await serve({ variables: { OIDC_ROLES: 'developers=no-such-role' } });
    await refused(begin());
  });

  it('by an e-mail address that the provider has not verified', async () => {
    gateway = await serve({ variables: { OIDC_GROUPS_CLAIM: 'email' } });
    await browser.visit(begin());
    expect(await who()).toMatchObject({ grants: { metrics: true } });
    browser = new TestBrowser();
    browser.name = 'bob';
    await refused(begin());
  });

  it('a second time with the same answer, though the cookie is kept', async () => {
    const callback = await beforeCallback();
    const kept = new Map(browser.cookies(gateway.url));
    await browser.visit(callback);
    const thief = new TestBrowser();
    for (const [name, value] of kept) thief.cookies(gateway.url).set(name, value);
    await refused(callback, thief);
  });

  it('with the answer that somebody else got, which would sign his owner in as him', async () => {
    const attacker = new TestBrowser();
    const callback = await beforeCallback(attacker);
    const before = provider.asked.length;
    await refused(callback); // a browser that has begun nothing
    await browser.request(begin());
    const asked = provider.asked.length;
    await refused(callback); // one that has begun an attempt of its own
    expect(asked - before).toBe(0);
    expect(provider.asked.length).toBe(asked);
  });

  it.each([
    ['nonce', 'another'],
    ['code_challenge', 'a'.repeat(43)],
  ])('if the %s of the attempt was exchanged on the way to the provider', async (name, value) => {
    const begun = await browser.request(begin());
    const there = new URL(begun.headers.get('location') as string);
    there.searchParams.set(name, value);
    await refused(there.href);
  });

  it.each([
    ['is of another issuer', (url: URL) => url.searchParams.set('iss', 'https://other.example.com')],
    ['does not say its issuer', (url: URL) => url.searchParams.delete('iss')],
    ['has no code', (url: URL) => url.searchParams.delete('code')],
    ['has a made-up code', (url: URL) => url.searchParams.set('code', 'made-up')],
    ['has another state', (url: URL) => url.searchParams.set('state', 'another')],
    ['has no state', (url: URL) => url.searchParams.delete('state')],
    ['has two states', (url: URL) => url.searchParams.append('state', 'another')],
    [
      'is a refusal',
      (url: URL) => (url.search = `?error=access_denied&state=${url.searchParams.get('state')}`),
    ],
  ])('with an answer that %s', async (_, change) => {
    const url = new URL(await beforeCallback());
    change(url);
    await refused(url.href);
  });

  it.each([
    ['changed', (value: string) => `${value.slice(0, -2)}AA`],
    ['cut off', (value: string) => value.slice(0, 30)],
    ['empty', () => ''],
    ['made up', () => 'A'.repeat(5_000)],
  ])('with a cookie that was %s', async (_, change) => {
    const callback = await beforeCallback();
    const cookies = browser.cookies(gateway.url);
    for (const [name, value] of cookies) cookies.set(name, change(value));
    await refused(callback);
  });

  it('with a cookie that a gateway with another secret has sealed', async () => {
    const callback = await beforeCallback();
    gateway = await serve({ variables: { OIDC_CLIENT_SECRET: 'another secret of a gateway' } });
    await refused(callback);
  });

  it('and the operator, he alone, reads why', async () => {
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) }) as Logger;
    gateway = await serve({ logger });
    browser.name = 'bob';
    await refused(begin());
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { reason: 'no group of the person has a role here' },
    ]);
    expect(lines.join()).not.toContain('bob');
  });
});

it.each([
  'https://evil.example.com/?channels=a',
  '//evil.example.com/?channels=a',
  '/\\evil.example.com/?channels=a',
  'javascript:alert(1)?channels=a#x',
  '/?channels=a',
  '?channels=a\r\nset-cookie:%20x=1',
])('the way back from %s leads to the page and nowhere else', async (address) => {
  const at = await browser.visit(begin(`?${new URLSearchParams({ return: address })}`));
  expect(at).toMatch(new RegExp(`^${gateway.url}/\\?channels=a[^\\r\\n]*$`));
  expect(
    browser.way.filter((url) => !url.startsWith(provider.issuer) && !url.startsWith(gateway.url)),
  ).toEqual([]);
});

it('a view that is too long for a cookie is not kept, and several values of return are none', async () => {
  const long = `?return=${encodeURIComponent(`?q=${'x'.repeat(3_000)}`)}`;
  expect(pathOf(await browser.visit(begin(long)))).toBe('/');
  expect(pathOf(await browser.visit(begin('?return=%3Fa%3D1&return=%3Fa%3D2')))).toBe('/');
});

describe('a provider that is away', () => {
  it('does not hinder the start, and is said on the page', async () => {
    const late = await listen('localhost');
    await stop(late.server);
    gateway = await serve({ issuer: late.url });
    expect(pathOf(await browser.visit(begin('?return=%3Fq%3Da')))).toBe(`/?q=a${AWAY.slice(1)}`);
    expect(pathOf(await browser.visit(begin()))).toBe(AWAY);
    expect(gateway.audited).toEqual([]);
  });

  it.each([
    ['answers 500', 500, ''],
    ['answers with a page', 200, '<html>'],
    ['is another one than it says', 200, JSON.stringify({ issuer: 'https://other.example.com' })],
  ])('counts as away if it %s', async (_, status, body) => {
    const answer = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    const broken = await listen('localhost', answer);
    gateway = await serve({ issuer: broken.url });
    expect(pathOf(await browser.visit(begin()))).toBe(AWAY);
    await stop(broken.server);
  });

  it('between going and coming back is said, and is no failed attempt', async () => {
    const gone = await TestProvider.start([callbackUrl(gateway.url)]);
    gateway = await serve({ issuer: gone.issuer });
    const callback = await beforeCallback();
    await gone.stop();
    expect(pathOf(await browser.visit(callback))).toBe(AWAY);
    expect(gateway.audited).toEqual([]);
  });
});

describe('a provider that knows no code', () => {
  /** It answers when it is let, and counts who asks. */
  async function serveUnknowing(): Promise<{
    url: string;
    asked: () => number;
    answer: () => void;
    close: () => Promise<void>;
  }> {
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    const { server, url } = await listen(
      'localhost',
      createServer((request, response) => {
        response.setHeader('content-type', 'application/json');
        const endpoints = {
          authorization_endpoint: `${url}/a`,
          token_endpoint: `${url}/t`,
          jwks_uri: `${url}/j`,
        };
        if (request.url !== '/t') return void response.end(JSON.stringify({ issuer: url, ...endpoints }));
        asked++;
        gate.promise
          .then(() => response.writeHead(400).end('{"error":"invalid_grant"}'))
          .catch(() => response.destroy());
      }),
    );
    return { url, asked: () => asked, answer: gate.resolve, close: () => stop(server) };
  }
  const queryOf = ({ location }: { location: string }) =>
    `code=nonsense&state=${new URL(location).searchParams.get('state')}`;

  it('is asked no more by an address that tried too often, also with one attempt again and again', async () => {
    const unknowing = await serveUnknowing();
    gateway = await serve({ issuer: unknowing.url });
    unknowing.answer();
    const going = await browser.request(begin());
    const callback = `${gateway.url}/auth/oidc/callback?${queryOf({ location: going.headers.get('location') ?? '' })}`;
    const cookie = going.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const ends: (string | null)[] = [];
    for (let n = 0; n < 30; n++) {
      const answer = await fetch(callback, { redirect: 'manual', headers: { cookie } });
      ends.push(answer.headers.get('location'));
    }
    expect(new Set(ends.slice(0, 10))).toEqual(new Set([FAILED]));
    expect(new Set(ends.slice(10))).toEqual(new Set(['/#sign-in=too_many_attempts']));
    expect(unknowing.asked()).toBe(10);
    expect(gateway.audited).toHaveLength(10);
    await unknowing.close();
  });

  it('is asked by turns: a crowd of codes keeps nobody else from his turn', async () => {
    const unknowing = await serveUnknowing();
    gateway = await serve({ issuer: unknowing.url });
    const { oidc } = gateway;
    const ended: string[] = [];
    const finish = async (address: string) => {
      const begun = await oidc.begin('');
      await oidc.finish(queryOf(begun), begun.attempt, { address, agent: 'test' });
      ended.push(address);
    };
    const crowd = Array.from({ length: 40 }, (_, n) => finish(`198.51.100.${n}`));
    await eventually('all places are taken', () => unknowing.asked() === 16);
    const honest = finish('203.0.113.7');
    await new Promise(setImmediate);
    expect(unknowing.asked()).toBe(16);
    unknowing.answer();
    await Promise.all([...crowd, honest]);
    expect(ended.indexOf('203.0.113.7')).toBeLessThan(32);
    await unknowing.close();
  });
});

it('while the store is away nobody is told that his sign-in failed', async () => {
  store.addSession = () => Promise.reject(new BrokerUnavailable('away'));
  expect(pathOf(await browser.visit(begin()))).toBe('/#sign-in=broker_unavailable');
});

it('without a provider there are no such routes', async () => {
  const app = fastify();
  problems(app);
  oidcRoutes(app, {
    ...(gateway as never as Parameters<typeof oidcRoutes>[1]),
    oidc: undefined,
    publicUrl: undefined,
  });
  for (const url of ['/auth/oidc', '/auth/oidc/callback?code=x&state=y'])
    expect(await app.inject(url)).toMatchObject({ statusCode: 404 });
  await app.close();
});

it('a HEAD, as programs send that look at links, begins and ends nothing', async () => {
  for (const url of [begin(), await beforeCallback()])
    expect((await browser.request(url, { method: 'HEAD' })).status).toBe(405);
});

it('in Chromium it is a click, and the page has the session afterwards', async () => {
  const chromium = await launchChromium();
  try {
    const page = await chromium.newPage();
    await page.goto(begin('?return=%2F%3Fq%3Da'));
    await page.fill('input[name=login]', 'alice');
    await page.fill('input[name=password]', 'x');
    await page.click('button[type=submit]');
    await page.click('button[type=submit]');
    await page.waitForURL(`${gateway.url}/?q=a`);
    expect(await page.title()).toBe('the page');
    // A text, because the gateway's tests are compiled without the types of pages.
    const seen = await page.evaluate(`(async () => {
      const answer = await fetch('/who');
      return { status: answer.status, name: (await answer.json()).name, cookie: document.cookie };
    })()`);
    expect(seen).toEqual({ status: 200, name: 'Alice A.', cookie: '' });
    const cookies = await page.context().cookies(gateway.url);
    expect(
      cookies.map(({ name, httpOnly, sameSite }) => ({ name: name.replace(/\d+/, 'N'), httpOnly, sameSite })),
    ).toEqual([{ name: 'llm-streamer-N', httpOnly: true, sameSite: 'Strict' }]);
  } finally {
    await chromium.close();
  }
});
