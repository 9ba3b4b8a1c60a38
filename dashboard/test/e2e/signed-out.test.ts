// Signing in on the page, with a gateway that a test scripts: a panel and no retries, the view and its place kept for the same
// person, nothing left for another.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually, lastRow, messages, openPage, sees, twoFrames } from './support/page.ts';
import { frame, person, ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
let gateway: ScriptedGateway;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  gateway = await ScriptedGateway.ofTest();
});

const fill = async (page: Page, name: string, password = 'good password') => {
  await page.getByLabel('name', { exact: true }).fill(name);
  await page.getByLabel('password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
};
const panel = (page: Page) => page.getByRole('form', { name: 'Sign in' });

/** What stands in the document, seen or not. */
const held = (page: Page) => page.evaluate(() => document.documentElement.outerHTML);

describe('a page where nobody is signed in', () => {
  beforeEach(() => {
    gateway.profile = undefined;
  });

  it('shows a panel and asks for no stream; after signing in, the view that the link names opens without a reload', async () => {
    gateway.login = ({ name }) => person(String(name), 's1');
    const page = await openPage(browser, `${gateway.url}/?channels=logs:a&q=x&theme=dark`);
    await panel(page).waitFor();
    await sees(page, 'SIGNED OUT');
    expect(gateway.requests).toHaveLength(0);
    await page.evaluate(() => Object.assign(globalThis, { wasHere: true }));
    await fill(page, 'alice');
    await sees(page, 'LIVE');
    await panel(page).waitFor({ state: 'detached' });
    expect(gateway.requests[0]?.url).toContain('channels=logs%3Aa');
    expect(page.url()).toContain('?channels=logs:a&q=x&theme=dark');
    expect(await page.evaluate(() => 'wasHere' in globalThis)).toBe(true);
    await page.getByRole('button', { name: 'alice' }).waitFor();
  });

  it('says of a failure what its code says, keeps the name and empties the password', async () => {
    const page = await openPage(browser, gateway.url);
    await panel(page).waitFor();
    await fill(page, 'alice', 'wrong');
    await sees(page, 'name or password is wrong');
    expect(await page.getByLabel('name', { exact: true }).inputValue()).toBe('alice');
    expect(await page.getByLabel('password', { exact: true }).inputValue()).toBe('');
    gateway.login = () => ({ status: 429, code: 'too_many_attempts', after: 30 });
    await fill(page, 'alice', 'wrong again');
    await sees(page, 'too many attempts: try again in 30 s');
    expect(page.url()).toBe(`${gateway.url}/`);
  });

  it('can be filled by a password manager, and shows that caps lock is on', async () => {
    const page = await openPage(browser, gateway.url);
    await panel(page).waitFor();
    const attributes = await panel(page)
      .locator('input')
      .evaluateAll((inputs) =>
        inputs.map((input) => `${input.getAttribute('autocomplete')} ${(input as HTMLInputElement).type}`),
      );
    expect(attributes).toEqual(['username text', 'current-password password']);
    await page.getByLabel('password', { exact: true }).evaluate((box) => {
      box.dispatchEvent(new KeyboardEvent('keydown', { key: 'A', bubbles: true, modifierCapsLock: true }));
    });
    await sees(page, 'caps lock is on');
  });

  it('says so where nobody was added yet, and offers the identity provider where there is one', async () => {
    gateway.ways = { empty: true, oidc: 'Keycloak' };
    const page = await openPage(browser, `${gateway.url}/?q=a`);
    await sees(page, 'npm run users -- add');
    const link = page.getByRole('link', { name: 'sign in with Keycloak' });
    expect(await link.getAttribute('href')).toBe(`auth/oidc?return=${encodeURIComponent('/?q=a')}`);
  });

  it('says why the identity provider has sent the reader back, and takes the code out of the URL', async () => {
    gateway.ways = { oidc: 'Keycloak' };
    const page = await openPage(browser, `${gateway.url}/?q=a#sign-in=login_failed`);
    await sees(page, 'signing in did not work');
    expect(page.url()).toBe(`${gateway.url}/?q=a`);
  });

  it('asks again while the gateway is away, and never takes that for being signed out', async () => {
    const page = await openPage(browser, gateway.url, {
      before: (fresh) => fresh.route('**/auth/profile', (route) => route.abort('connectionrefused')),
    });
    await sees(page, 'the gateway cannot be reached');
    expect(await panel(page).count()).toBe(0);
    gateway.profile = person('alice', 's1');
    await page.unrouteAll();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await sees(page, 'LIVE');
  });
});

describe.each([
  ['through the SharedWorker', ''],
  ['with a connection of its own', '&shared=0'],
])('a session that ends, %s', (_name, search) => {
  const refuse = () => {
    gateway.answer = (response) => {
      response.writeHead(401, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ status: 401, code: 'unauthorized', detail: 'sign in' }));
    };
  };
  const bye = (code: string) => {
    refuse();
    gateway.profile = undefined;
    gateway.write(frame('bye', { code, message: 'over' }));
    for (const stream of gateway.streams) stream.end();
  };
  const open = async () => {
    gateway.profile = person('alice', 's1');
    const page = await openPage(browser, `${gateway.url}/?channels=logs${search}`);
    await sees(page, 'LIVE');
    gateway.send(['secret one', 'secret two']);
    await lastRow(page, 'secret two');
    await page.evaluate(() => Object.assign(globalThis, { wasHere: true }));
    return page;
  };

  it('is asked for once, not again and again; the same person goes on where he was', async () => {
    const page = await open();
    refuse();
    gateway.profile = undefined;
    const cursor = gateway.cursor;
    gateway.cut();
    await panel(page).waitFor();
    await eventually('one request was refused', () => gateway.requests.length === 2);
    expect(await page.locator('#log').isVisible(), 'the rows are hidden').toBe(false);
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await twoFrames(page);
    expect(gateway.requests).toHaveLength(2);

    gateway.answer = (response) => gateway.greet(response, { resumed: true });
    gateway.login = () => person('alice', 's2');
    await fill(page, 'alice');
    await sees(page, 'LIVE');
    expect(gateway.requests[2]?.headers['last-event-id']?.toString().split('-')[1]).toBe(
      cursor.split('-')[1],
    );
    expect(await messages(page)).toEqual(expect.arrayContaining(['secret one', 'secret two']));
    gateway.send(['three']);
    await lastRow(page, 'three');
    await sees(page, 'lost 0 / 3');
    expect(await page.evaluate(() => 'wasHere' in globalThis), 'without a reload').toBe(true);
  });

  it('by `expired`: another person finds nothing of the first', async () => {
    const page = await open();
    bye('expired');
    await panel(page).waitFor();
    gateway.answer = (response) => gateway.greet(response);
    gateway.login = () => person('bob', 's3');
    await fill(page, 'bob');
    await page.getByRole('button', { name: 'bob' }).waitFor();
    await sees(page, 'LIVE');
    expect(await held(page)).not.toContain('secret');
  });

  it.each(['session_ended', 'revoked', 'access_changed'])(
    'by `%s`: nothing is left on the page',
    async (code) => {
      const page = await open();
      await page.locator('#log .row').first().click();
      await page.getByRole('region', { name: 'Entry detail' }).waitFor();
      bye(code);
      await panel(page).waitFor();
      await eventually('the page has loaded anew', () => page.evaluate(() => !('wasHere' in globalThis)));
      expect(await held(page)).not.toContain('secret');
    },
  );
});

it('says quietly that a view was narrowed, and to what', async () => {
  gateway.profile = person('alice', 's1');
  gateway.answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(frame('hello', { gateway: 'g', count: 0, keepalive: 60_000, channels: ['logs:team-a*'] }));
    response.write(frame('live', { replayed: 0 }));
  };
  const page = await openPage(browser, gateway.url);
  const word = page.locator('#bar').getByText('narrowed');
  await word.waitFor();
  expect(await word.getAttribute('title')).toContain('logs:team-a*');
});

it('looks as ever where nobody is asked and nobody else can come; elsewhere it has a mark', async () => {
  const page = await openPage(browser, gateway.url);
  await sees(page, 'LIVE');
  expect(await page.locator('#bar').innerText()).not.toContain('open to all');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  expect(await page.locator('dialog').innerText()).not.toContain('sign out');
  gateway.profile = { ...person('everyone', ''), kind: 'everyone', owner: '', auth: 'report' };
  await page.reload();
  await sees(page, 'report only');
});

it('copies a curl line that names a variable for the key, and no key', async () => {
  gateway.profile = person('alice', 's1');
  const page = await openPage(browser, `${gateway.url}/?channels=logs`);
  await sees(page, 'LIVE');
  await page.getByRole('button', { name: 'copy curl', exact: true }).click();
  await sees(page, 'curl line copied');
  const line = await page.evaluate(() => navigator.clipboard.readText());
  expect(line).toContain(`-H "Authorization: Bearer $GATEWAY_KEY" '${gateway.url}/stream?`);
});

it('offers no password and no keys to somebody whom others know, and to whom a proxy names no sessions and no way out', async () => {
  const {
    role: _role,
    session: _session,
    ...known
  } = person('ann', 's1', { owner: 'j-bmtg4eegwmusafu6rd2l' });
  for (const [profile, parts] of [
    [{ ...known, role: 'viewer', session: 's1' }, ['Who I am', 'My sessions', 'My password', 'My keys']],
    [{ ...known, session: 's1' }, ['Who I am', 'My sessions']],
    [known, ['Who I am']],
  ] as const) {
    gateway.profile = profile;
    const page = await openPage(browser, `${gateway.url}/?panel=me`);
    await page.getByRole('region', { name: 'Who I am' }).waitFor();
    const found = await page
      .locator('#person section section')
      .evaluateAll((sections) => sections.map((section) => section.ariaLabel));
    expect(found).toEqual(parts);
    expect(await page.getByRole('button', { name: 'sign out' }).count()).toBe('session' in profile ? 1 : 0);
  }
});
