// The list of conversations: what was said is found, a conversation is named and taken away as a file, and a deleted one is gone.
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { answered, ask, turns } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, openPage } from './support/page.ts';

let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway({ RATE_LIMIT_PER_SECOND: '0' })]);
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const list = (page: Page) => page.locator('section.conversations');
const titles = (page: Page) => list(page).locator('.choice bdi').allInnerTexts();
const isListed = (page: Page, ...expected: string[]) =>
  eventually(`${expected} are listed`, async () => (await titles(page)).join() === expected.join());

it('finds, names, exports and deletes a conversation', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  await ask(page, 'Get analytics for listing L001');
  await answered(page);
  await page.getByRole('button', { name: 'new', exact: true }).click();
  await ask(page, 'Give me a market analysis for Seattle, WA');
  await answered(page);
  await page.getByRole('button', { name: 'conversations' }).click();
  await isListed(page, 'Give me a market analysis for Seattle, WA', 'Get analytics for listing L001');

  await page.getByLabel('Search in conversations').fill('L001');
  await isListed(page, 'Get analytics for listing L001');
  await list(page).locator('.choice').press('F2');
  await page.getByLabel('Name of the conversation').fill('The first one');
  await page.keyboard.press('Enter');
  await page.getByLabel('Search in conversations').fill('');
  await isListed(page, 'Give me a market analysis for Seattle, WA', 'The first one');

  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'export The first one' }).click();
  const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
    'turn',
    'call',
    'turn',
    'end',
  ]);

  await page.getByRole('button', { name: /^delete Give me/ }).click();
  await page.getByRole('button', { name: /^really delete Give me/ }).click();
  await isListed(page, 'The first one');
  expect(await turns(page).count()).toBe(0);
  expect(page.url()).not.toContain('c=');
  await page.getByRole('button', { name: 'The first one' }).first().click();
  await answered(page);
});
