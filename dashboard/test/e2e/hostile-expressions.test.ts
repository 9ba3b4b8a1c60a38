// No regular expression, from a link or typed, freezes the page: shown in a real browser with the real gateway, and
// with lines on which such expressions would not end in JavaScript's engine.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { CATASTROPHES } from '../regex/catastrophes.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { openPage, sees, twoFrames } from './support/page.ts';

const LINE = 'a'.repeat(5_000);

let gateway: Gateway;
let browser: Browser;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const publish = (channel: string, msg: string, count: number) =>
  gateway.publish(...Array.from({ length: count }, () => ({ channel, source: 'test', msg })));

/** Checks that the page paints, handles keys and shows new entries, which a frozen page does not. */
async function answers(page: Page, channel: string, last: string): Promise<void> {
  await twoFrames(page);
  await page.keyboard.press('?');
  await sees(page, 'these keys');
  await page.keyboard.press('Escape');
  await publish(channel, last, 1);
  await page.getByRole('combobox', { name: 'Filter' }).fill('');
  await page.keyboard.press('Enter');
  await page.locator('#log').focus();
  await page.keyboard.press('G');
  await sees(page, last);
}

it.each(['q', 'hl'])('a link’s %s=/(a|a)*$/ does not freeze the page', async (name) => {
  const channel = `logs:link:${name}`;
  await publish(channel, LINE, 50);
  const page = await openPage(
    browser,
    `${gateway.url}/?channels=${channel}&${name}=${encodeURIComponent('/(a|a)*$/')}`,
  );
  await sees(page, 'aaaa'); // they match
  await publish(channel, `${LINE}b`, 50);
  await answers(page, channel, 'the page is alive');
});

it('no typed expression freezes the page, whether it filters, highlights or searches', {
  timeout: 180_000,
}, async () => {
  const channel = 'logs:typed';
  await publish(channel, LINE, 50);
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}`);
  await sees(page, 'aaaa');
  for (const [i, source] of CATASTROPHES.entries()) {
    const field = page.getByRole('combobox', { name: 'Filter' });
    await field.fill(`/${source}/`);
    await page.keyboard.press(i % 2 === 0 ? 'Enter' : 'Alt+Enter');
    await publish(channel, `${LINE}!`, 5);
    await page.locator('#log').focus();
    await page.keyboard.press('N');
    await answers(page, channel, `alive after ${i}`);
  }
  expect(CATASTROPHES.length).toBeGreaterThan(20);
});
