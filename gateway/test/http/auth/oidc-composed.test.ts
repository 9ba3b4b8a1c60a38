// Sign-in with a real OpenID provider through the whole gateway: its plugins, its gate and its audit included.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { callbackUrl } from '../../../src/auth/sign-in/oidc.ts';
import { listen, SECRET, stop, TestBrowser, TestProvider } from '../../auth/sign-in/open-id.ts';
import { type AuthGateway, openAuthGateway } from '../auth-gateway.ts';

let gateway: AuthGateway;
let provider: TestProvider;
let browser: TestBrowser;

// The provider must know where it sends browsers back before the gateway has a port.
beforeEach(async () => {
  const { server, url } = await listen('127.0.0.1');
  await stop(server);
  provider = await TestProvider.start([callbackUrl(url)]);
  gateway = await openAuthGateway({
    PORT: new URL(url).port,
    PUBLIC_URL: url,
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: 'streamer',
    OIDC_CLIENT_SECRET: SECRET,
    OIDC_ROLES: 'developers=member',
  });
  browser = new TestBrowser();
});
afterEach(async () => {
  await gateway.close();
  await provider.stop();
});

const isCallback = (url: string) => url.includes('/auth/oidc/callback');
const begin = () => `${gateway.url}/auth/oidc`;
const pathOf = (url: string) => url.slice(new URL(url).origin.length);
const profile = async (from: TestBrowser) => {
  const answer = await from.request(`${gateway.url}/auth/profile`);
  return answer.status === 200 ? ((await answer.json()) as Record<string, unknown>) : answer.status;
};
const refused = async (url: string, from = browser) => {
  expect(pathOf(await from.visit(url))).toBe('/#sign-in=login_failed');
  expect(await profile(from)).toBe(401);
};
/** Messages of an audit channel. */
const audited = async (channel: string): Promise<string[]> => {
  const root = await gateway.signedIn('root');
  const { body } = await root.ask(`/api/entries?channels=${channel}&limit=1000`);
  return body.entries.map(({ msg }: { msg: string }) => msg);
};

it('signs a person of a group in, and shows the view that he left', async () => {
  const view = '?channels=logs%3A*';
  const at = await browser.visit(`${begin()}?${new URLSearchParams({ return: `/${view}` })}`);
  expect(at).toBe(`${gateway.url}/${view}`);
  expect(await profile(browser)).toMatchObject({ kind: 'user', name: 'Alice A.', grants: { run: true } });
});

it('45: lets nobody in by a callback that was used, that is of another, of no attempt, or without a group', async () => {
  const callback = await browser.visit(begin(), isCallback);
  await refused(callback, new TestBrowser()); // a browser that has begun nothing
  const other = new TestBrowser();
  await other.visit(begin(), isCallback);
  await refused(callback, other); // login CSRF: the answer to another's attempt
  expect(pathOf(await browser.visit(callback))).toBe('/');
  const again = new TestBrowser();
  for (const [name, value] of browser.cookies(gateway.url))
    if (name.includes('oidc')) again.cookies(gateway.url).set(name, value);
  await refused(callback, again);
  const nobody = new TestBrowser();
  nobody.name = 'bob';
  await refused(begin(), nobody);
});

it('a callback without an attempt is no failure of its address, however often a page makes its visitors send it', async () => {
  for (let n = 0; n < 30; n++) await refused(`${gateway.url}/auth/oidc/callback?code=x&state=y`);
  expect(pathOf(await browser.visit(begin()))).toBe('/');
  await eventually('the sign-in is told', async () => (await audited('audit:auth')).length > 0);
  expect(await audited('audit:failures')).toEqual([]);
});

it('failures without end make few events, and hide no change of rights', async () => {
  const cookie = 'llm-streamer-oidc-';
  const flood = Array.from({ length: 200 }, () =>
    fetch(`${gateway.url}/auth/oidc/callback?code=x&state=y`, {
      headers: { cookie: `${cookie}${gateway.port}=made-up` },
      redirect: 'manual',
    }),
  );
  const root = await gateway.signedIn('root');
  const created = await root.post('/api/keys', { name: 'ci', read: ['logs*'], service: true });
  expect(created.status).toBe(201);
  await Promise.all(flood);
  await eventually('the key is told', async () =>
    (await audited('audit:auth')).some((msg) => msg.includes(`key:${created.body.id}`)),
  );
  expect((await audited('audit:auth')).filter((msg) => msg.includes('login.failed'))).toEqual([]);
  await eventually('the failures are told', async () => (await audited('audit:failures')).length > 0);
  expect((await audited('audit:failures')).length).toBeLessThanOrEqual(10);
});
