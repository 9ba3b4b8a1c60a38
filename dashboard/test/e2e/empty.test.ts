// A view without entries says why: a view whose entries the filter hides is never called empty.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';

let gateway: Gateway;
let browser: Browser;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  await gateway.publish(...lines(200, 0, { channel: 'logs:f' }));
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

it('a channel without entries shows commands that write to it, by HTTP and by Redis', async () => {
  const page = await openPage(browser, `${gateway.url}/?channels=logs:unwritten`);
  await sees(page, /No entries on logs:unwritten/);
  const lines = await page.locator('.empty pre').allInnerTexts();
  expect(lines[0]).toContain(
    `curl -d '{"channel":"logs:unwritten","msg":"hello"}' ${gateway.url}/api/publish`,
  );
  expect(lines[1]).toBe("redis-cli PUBLISH logs:unwritten 'hello'");
});

describe('a filter that no entry passes', () => {
  it.each([1280, 360])('shows how many entries it hides, at %i px, and can be cleared', async (width) => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:f&q=zzzzz`, { width });
    await sees(page, 'Nothing passes the filter: 200 hidden');
    await page.getByRole('button', { name: 'clear the filter' }).click();
    await lastRow(page, 'line 199');
    await eventually('it is gone', async () => (await page.locator('.empty').count()) === 0);
  });

  it('that the gateway applies is not called an empty channel', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:f&q=zzzzz&narrow=1`);
    await sees(page, /Nothing from logs:f passes the filter/);
    expect(await page.locator('.empty').innerText()).not.toMatch(/No entries|Send one/);
    await page.getByRole('button', { name: 'clear the filter' }).click();
    await lastRow(page, 'line 199');
  });

  it('disappears with the first entry that passes', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:g,logs:f&q=found`);
    await sees(page, 'Nothing passes the filter');
    await gateway.publish({ channel: 'logs:g', msg: 'found' });
    await lastRow(page, 'found');
    await eventually('it is gone', async () => (await page.locator('.empty').count()) === 0);
  });

  it('that is wrong from the start hides nothing, and the page says that it is not applied', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:f&q=/4(\\d/`);
    await sees(page, /Unterminated group.*not applied/);
    await eventually('all are shown', async () => (await messages(page)).length > 0);
    expect(await page.locator('.problem').innerText()).not.toContain('last good');
  });
});
