// The chat by keys, and on a small screen: no letter is lost while it loads, the focus is always somewhere, and what it leads to is seen.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { answered, ask, composer, newest, turns } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, messages, openPage } from './support/page.ts';

let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway({ RATE_LIMIT_PER_SECOND: '0' })]);
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? '');
const isFocused = (page: Page, text: string) =>
  eventually(`${text} has the focus`, async () => (await focused(page)).includes(text));

it('what is typed while the chat loads is in the question', async () => {
  let load: () => void = () => undefined;
  const loading = new Promise<void>((resolve) => {
    load = resolve;
  });
  let known: Promise<unknown> = Promise.resolve();
  const page = await openPage(browser, gateway.url, {
    before: async (opening) => {
      known = opening.waitForResponse(/auth\/profile/).then((response) => response.finished());
      await opening.route(/assets\/panel-.*\.js$/, async (route) => {
        await loading;
        await route.continue();
      });
    },
  });
  await known;
  await page.keyboard.press('C');
  await page.locator('#chat').waitFor();
  await page.keyboard.type('Send the title');
  expect(await page.locator('#timeline').isHidden()).toBe(true);
  load();
  await eventually('it is written', async () => (await composer(page).inputValue()) === 'Send the title');
  await page.keyboard.type('s');
  expect(await composer(page).inputValue()).toBe('Send the titles');
});

it('the focus is at the call after a decision, and in the list after a name was given', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  await ask(page, 'Send the listing report of L001 to me@example.com');
  await newest(page).getByRole('button', { name: 'Approve' }).press('Enter');
  await answered(page);
  await isFocused(page, 'listings: send listing report');

  await page.getByRole('button', { name: 'conversations' }).press('Enter');
  await page.locator('.conversations .choice').first().waitFor();
  await page.keyboard.press('ArrowDown');
  await isFocused(page, 'Send the listing report');
  await page.keyboard.press('F2');
  await page.getByLabel('Name of the conversation').fill('Reports');
  await page.keyboard.press('Enter');
  await isFocused(page, 'Reports');
  await page.keyboard.press('Escape');
  expect(await page.locator('.conversations').count()).toBe(0);
  await isFocused(page, 'conversations');
});

it('a reload keeps what was written together with the question that it replaces; Escape drops both', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  await ask(page, 'Get analytics for listing L001');
  await answered(page);
  await newest(page).getByRole('button', { name: 'edit', exact: true }).click();
  await composer(page).fill('Get analytics for listing L002');
  await page.reload();
  await answered(page);
  await page.getByText('In place of').waitFor();
  await composer(page).press('Enter');
  await eventually('it is answered', async () => (await newest(page).innerText()).includes('L002'));
  await answered(page);
  await newest(page).getByRole('button', { name: 'edit', exact: true }).click();
  await composer(page).press('Escape');
  expect(await page.getByText('In place of').count()).toBe(0);
  expect(await composer(page).inputValue()).toBe('');
});

it('what was written before an edit is in the box again after it, however it ends', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  const edit = (turn = newest(page)) => turn.getByRole('button', { name: 'edit', exact: true }).click();
  const isBack = () =>
    eventually('the words are back', async () => (await composer(page).inputValue()) === 'And L009');
  await ask(page, 'Get analytics for listing L001');
  await answered(page);
  await ask(page, 'Get analytics for listing L002');
  await answered(page, 2);
  await composer(page).fill('And L009');
  await edit();
  await edit(turns(page).first());
  await page.getByRole('button', { name: 'do not edit' }).click();
  await isBack();
  await edit();
  await ask(page, 'Get analytics for listing L003');
  await isBack();
  await eventually('it is answered', async () => (await newest(page).innerText()).includes('L003'));
  await edit();
  await page.getByRole('button', { name: 'new', exact: true }).click();
  await isBack();
});

it('on a small screen, and before a picture, the log comes in front', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`, { width: 360, height: 740 });
  await ask(page, 'Get analytics for listing L001');
  await answered(page);
  await newest(page).getByRole('button', { name: 'in log' }).click();
  expect(await page.locator('#chat').isHidden()).toBe(true);
  await eventually('the log shows the run', async () =>
    (await messages(page)).join().includes('run finished'),
  );
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.keyboard.press('C');
  await newest(page).getByRole('button', { name: 'timeline' }).click();
  await page.locator('#timeline [role="treeitem"]').first().waitFor();
  await newest(page).getByRole('button', { name: 'in log' }).click();
  expect(await page.locator('#timeline').isHidden()).toBe(true);
  expect(page.url()).toMatch(/channels=runs:chat-/);
});
