// The chat where people sign in: a conversation is its owner's, for whom his name decides, and nobody else's.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { answered, ask, calls, newest, turns } from './support/chat.ts';
import { type GuardedGateway, PASSWORD, startGuardedGateway } from './support/guarded-gateway.ts';
import { eventually, openPage } from './support/page.ts';

let browser: Browser;
let gateway: GuardedGateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGuardedGateway()]);
  await gateway.asAdmin('POST', 'api/roles', {
    name: 'team',
    read: ['conversations:alice/*', 'runs:alice/*'],
  });
  for (const [name, role] of Object.entries({ alice: 'member', bob: 'member', carol: 'team' }))
    await gateway.asAdmin('POST', 'api/users', { name, password: PASSWORD, role });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

async function openAs(name: string, search = '?panel=chat'): Promise<Page> {
  const page = await openPage(browser, `${gateway.url}/${search}`);
  await page.getByLabel('name', { exact: true }).fill(name);
  await page.getByLabel('password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('password', { exact: true }).press('Enter');
  return page;
}

it('a conversation is shown to its owner, who decides under his name, and to nobody else', async () => {
  const page = await openAs('alice');
  await ask(page, 'Send the listing report of L001 to me@example.com');
  await newest(page).locator('.approval').waitFor();
  const foreign = await openAs('bob', new URL(page.url()).search);
  await foreign.getByText('Nothing of this conversation is kept, or you may not read it.').waitFor();
  await foreign.getByRole('button', { name: 'conversations' }).click();
  await foreign.getByText('no conversations').waitFor();
  expect(await turns(foreign).count()).toBe(0);
  await newest(page).getByRole('button', { name: 'Approve' }).click();
  await answered(page);
  expect((await calls(page)).join()).toContain('approved by alice');
  await newest(page).getByRole('button', { name: 'in log' }).click();
  await eventually('her run is in the log', async () =>
    new URL(page.url()).searchParams.get('channels')?.startsWith('runs:alice/chat-'),
  );
});

it('a conversation that is shared by a grant is read under its owner’s name, and not written in', async () => {
  const page = await openAs('alice');
  await ask(page, 'Get analytics for listing L001');
  const text = await answered(page);
  expect(page.url()).toMatch(/&c=alice\/talk-[0-9a-f]{16}$/);
  const reader = await openAs('carol', new URL(page.url()).search);
  expect(await answered(reader)).toBe(text);
  expect(await reader.locator('#chat h2').innerText()).toContain('alice: Get analytics for listing L001');
  await eventually('its calls are read', async () => (await calls(reader)).length === 1);
  await reader.getByText('This conversation is not yours: you may read it.').waitFor();
  expect(await reader.getByLabel('Question', { exact: true }).count()).toBe(0);
  expect(await newest(reader).getByRole('button', { name: 'edit', exact: true }).count()).toBe(0);
  await ask(page, 'Get analytics for listing L002');
  const next = await answered(page, 2);
  expect(await answered(reader, 2)).toBe(next);
  await reader.getByRole('button', { name: 'new', exact: true }).click();
  await reader.getByLabel('Question', { exact: true }).waitFor();
});
