// A screen on the wall: no bars, alerts that are seen from across the room, and nobody there to mend it for days.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';
import { ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
let gateway: ScriptedGateway;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  gateway = await ScriptedGateway.ofTest();
});

const isFull = (page: Page) => page.evaluate(() => document.fullscreenElement !== null);
const band = (page: Page) => page.locator('#screen');
/** The module is loaded when it is first wanted. */
const isLoaded = (page: Page) =>
  eventually('the second screen is there', () =>
    page.evaluate(() => document.querySelector('#screen [role="alert"]') !== null),
  );

describe('the second screen', () => {
  it('is entered and left by its key, in full screen and in the URL', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs`);
    await sees(page, 'LIVE');
    gateway.send(['a line']);
    await lastRow(page, 'a line');
    await page.keyboard.press('F');
    await eventually('full screen', () => isFull(page));
    expect(page.url()).toContain('screen=1');
    expect(await page.locator('#bar').isVisible()).toBe(false);
    expect(await page.locator('#status').isVisible()).toBe(false);
    await lastRow(page, 'a line');
    await page.keyboard.press('F');
    await eventually('no full screen', async () => !(await isFull(page)));
    await page.locator('#bar').waitFor();
    expect(page.url()).not.toContain('screen');
  });

  it('has a button, and ends when the browser ends full screen', async () => {
    const page = await openPage(browser, gateway.url);
    await page.getByRole('button', { name: 'full screen' }).click();
    await eventually('full screen', () => isFull(page));
    await page.evaluate(() => document.exitFullscreen());
    await page.locator('#status').waitFor();
  });

  it('opened by a link has no bars either, and Esc ends it', async () => {
    const page = await openPage(browser, `${gateway.url}/?screen=1&fleet=1`);
    await page.locator('#fleet [role="grid"]').waitFor();
    expect(await page.locator('#bar').isVisible()).toBe(false);
    await page.keyboard.press('Escape');
    await page.locator('#fleet').waitFor({ state: 'hidden' });
    await page.keyboard.press('Escape');
    await page.locator('#bar').waitFor();
  });

  it('shows an alert in large type, with a frame around the page', async () => {
    gateway.alerts = {
      status: 200,
      body: { alerts: [{ alert: 'x', rule: 'memory', text: 'gpu-7 is out of memory <b>', level: 'error' }] },
    };
    const page = await openPage(browser, `${gateway.url}/?screen=1`, { width: 1920, height: 1080 });
    await band(page).getByText('gpu-7 is out of memory <b>').waitFor();
    const size = await band(page)
      .locator('p')
      .evaluate((line) => Number.parseFloat(getComputedStyle(line).fontSize));
    expect(size).toBeGreaterThan(50);
    const frame = await page.evaluate(() =>
      Number.parseFloat(getComputedStyle(document.body).borderTopWidth),
    );
    expect(frame).toBeGreaterThan(10);
    expect(await serious(page)).toEqual([]);
  });

  it('says that it is not live once that lasts, and no longer when it is live again', async () => {
    const page = await openPage(browser, `${gateway.url}/?screen=1`, {
      before: (fresh) => fresh.clock.install(),
    });
    await isLoaded(page);
    await eventually('it is live', () => gateway.streams.size === 1);
    gateway.answer = (response) => response.writeHead(503, { 'retry-after': '3600' }).end();
    gateway.cut();
    await eventually('it has tried again', async () => {
      await page.clock.runFor(1_000);
      return /not live since \d\d:\d\d:\d\d/.test(await band(page).innerText());
    });
    gateway.answer = (response) => gateway.greet(response);
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually('the band is gone', async () => (await band(page).innerText()) === '');
  });

  it('that was held by a passing hand follows again', async () => {
    const page = await openPage(browser, `${gateway.url}/?screen=1`, {
      before: (fresh) => fresh.clock.install(),
    });
    await isLoaded(page);
    await eventually('it is live', () => gateway.streams.size === 1);
    gateway.send(Array.from({ length: 100 }, (_, i) => `line ${i}`));
    await lastRow(page, 'line 99');
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -400);
    await page.locator('.pill').waitFor();
    await page.clock.runFor(70_000);
    await page.locator('.pill').waitFor({ state: 'hidden' });
    await lastRow(page, 'line 99');
  });

  it.each(['dark', 'light'] as const)(
    'has the colours of the system while the theme is left to it: %s',
    async (colorScheme) => {
      const page = await openPage(browser, `${gateway.url}/?screen=1`);
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const other = colorScheme === 'dark' ? 'light' : 'dark';
      await page.emulateMedia({ colorScheme: other });
      const before = await ground();
      await page.emulateMedia({ colorScheme });
      expect(await ground()).not.toBe(before);
      expect(await ground()).toBe(colorScheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(255, 255, 255)');
    },
  );
});

describe('a gateway that has come back with a newer page', () => {
  /** Full screen is refused, as by any browser when a link is opened: to it, what a test evaluates counts as a click. */
  const opened = { init: 'Element.prototype.requestFullscreen = () => Promise.reject(new TypeError())' };
  const NEWER = '<!doctype html><script type="module" src="./assets/index-newer123.js"></script>';

  /** From now on the gateway serves a newer page, and counts who has asked for it as a page. */
  async function upgrade(page: Page): Promise<() => number> {
    let loads = 0;
    await page.route(
      (url) => url.pathname === '/',
      (route) => {
        if (route.request().isNavigationRequest()) loads++;
        return route.fulfill({ contentType: 'text/html', body: NEWER });
      },
    );
    await page.route('**/assets/*', (route) =>
      route.request().url().includes('newer123')
        ? route.fulfill({ contentType: 'text/javascript', body: 'document.title = "newer"' })
        : route.fulfill({ status: 404 }),
    );
    gateway.cut();
    return () => loads;
  }

  it('is loaded anew by a second screen, once, with its view', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs&screen=1`, opened);
    await isLoaded(page);
    await eventually('it is live', () => gateway.streams.size === 1);
    const loads = await upgrade(page);
    await eventually('the newer page is there', async () => (await page.title()) === 'newer');
    expect(page.url()).toContain('channels=logs&screen=1');
    expect(loads()).toBe(1);
  });

  it('does not take a page away from somebody who reads it: what is loaded works on, and the rest says what is missing', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs`);
    await sees(page, 'LIVE');
    gateway.send(['before']);
    await lastRow(page, 'before');
    const loads = await upgrade(page);
    await eventually('it has connected again', () => gateway.requests.length === 2);
    gateway.send(['after']);
    await lastRow(page, 'after');
    await page.getByRole('button', { name: 'fleet' }).click();
    await sees(page, 'the fleet could not be loaded: reload the page if it is older than the gateway');
    expect(loads()).toBe(0);
  });

  it('that other gateways of it do not have yet is loaded once, not again and again', async () => {
    let navigations = 0;
    let questions = 0;
    let isNewer = false;
    const page = await openPage(browser, `${gateway.url}/?screen=1`, {
      ...opened,
      before: (fresh) =>
        fresh.route(
          (url) => url.pathname === '/',
          (route) => {
            // To a question it is the newer page, and what is loaded is the old one.
            if (route.request().isNavigationRequest()) navigations++;
            else {
              questions++;
              if (isNewer) return route.fulfill({ contentType: 'text/html', body: NEWER });
            }
            return route.continue();
          },
        ),
    });
    await eventually('it has asked', () => questions > 0);
    isNewer = true;
    questions = 0;
    gateway.cut();
    await eventually('it was loaded, and has asked again', () => navigations === 2 && questions > 1);
    const asked = questions;
    gateway.cut();
    await eventually('it has asked once more', () => questions > asked);
    gateway.send(['still the same']);
    await lastRow(page, 'still the same');
    expect(navigations).toBe(2);
  });

  it('that lacks its own part, as in the midst of an upgrade, is loaded anew when a gateway answers', async () => {
    let isGone = true;
    const page = await openPage(browser, `${gateway.url}/?channels=logs&screen=1`, {
      ...opened,
      before: async (fresh) => {
        await fresh.clock.install();
        await fresh.route('**/assets/second-screen-*.js', (route) =>
          isGone ? route.fulfill({ status: 404 }) : route.continue(),
        );
      },
    });
    await eventually('it is live', () => gateway.streams.size === 1);

    await page.route(
      (url) => url.pathname === '/',
      (route) => route.abort('connectionrefused'),
    );
    const asked = page.waitForEvent('requestfailed', (request) => new URL(request.url()).pathname === '/');
    await page.clock.runFor(31_000);
    await asked;
    isGone = false;
    await page.unrouteAll();
    const loaded = page.waitForEvent('load');
    await page.clock.runFor(31_000);
    await loaded;
    await isLoaded(page);
  });
});
