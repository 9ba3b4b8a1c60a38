// The chat with the example's agent: what is asked is answered with tools, a call with effects asks first, and everything that is shown
// is in the log.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { serious } from './support/axe.ts';
import { answered, ask, calls, composer, newest, turns } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, messages, type Opening, openPage } from './support/page.ts';

let browser: Browser;
let fast: SimulatorProcess;
let slow: SimulatorProcess;
let gateway: Gateway;
let slowGateway: Gateway;
beforeAll(async () => {
  [browser, fast, slow] = await Promise.all([
    launchChromium(),
    startSimulator('--delay', '1'),
    startSimulator('--delay', '60'),
  ]);
  const env = { RATE_LIMIT_PER_SECOND: '0' };
  [gateway, slowGateway] = await Promise.all([
    startGateway({ ...env, ...servedBy(fast) }),
    startGateway({ ...env, ...servedBy(slow) }),
  ]);
}, 120_000);
afterAll(async () => {
  await browser.close();
  for (const each of [gateway, slowGateway]) await each.stop();
  for (const each of [fast, slow]) await each.process.stop();
});

const open = (at = gateway, size?: Opening): Promise<Page> =>
  openPage(browser, `${at.url}/?panel=chat`, size);
const SEND = 'Send the listing report of L001 to me@example.com';
const card = (page: Page) => newest(page).locator('.approval');

describe('the example', () => {
  it.each([
    ['Show me 3-bedroom homes in Portland under $900,000', 'listings: find listings', 'gave 7 results', 1],
    ['Get analytics for listing L001', 'analytics: get listing metrics', 'L001', 1],
    ['Give me a market analysis for Seattle, WA', 'analytics: get market analysis', 'Seattle', 1],
    [
      'Generate a performance report for L001, L002 and L003',
      'analytics: generate performance report',
      'topPerformer',
      3,
    ],
  ])('answers: %s', async (question, tool, words, tables) => {
    const page = await open();
    await ask(page, question);
    expect(await answered(page)).toContain(words);
    expect((await calls(page)).join()).toMatch(new RegExp(`✓ ${tool}\\s[\\s\\S]*\\d+ms`));
    expect(await newest(page).locator('.markdown table').count()).toBe(tables);
    expect(await newest(page).locator('.question').innerText()).toContain(question);
    expect(await newest(page).locator('.foot').innerText()).toMatch(/\d+ in, \d+ out · 2 steps/);
  });
});

describe('a conversation', () => {
  it('goes on after a reload, and its link shows it in another browser', async () => {
    const page = await open();
    await ask(page, 'Get analytics for listing L001');
    await answered(page);
    await ask(page, 'Give me a market analysis for Seattle, WA');
    const text = await answered(page, 2);
    expect(page.url()).toMatch(/panel=chat&c=talk-[0-9a-f]{16}$/);
    await page.reload();
    expect(await answered(page, 2)).toBe(text);
    await eventually('its calls are read', async () => (await calls(page)).length === 1);
    const other = await openPage(browser, page.url());
    expect(await answered(other, 2)).toBe(text);
    await other.getByRole('button', { name: 'new', exact: true }).click();
    expect(await turns(other).count()).toBe(0);
    expect(other.url()).not.toContain('c=');
    await other.goBack();
    expect(await answered(other, 2)).toBe(text);
    await other.getByRole('button', { name: 'conversations' }).click();
    await other
      .getByLabel('Conversations')
      .getByRole('button', { name: 'Get analytics for listing L001' })
      .first()
      .click();
  });

  it('takes questions while an answer grows, and asks them in their order', async () => {
    const page = await open(slowGateway);
    await ask(page, 'Get analytics for listing L002');
    await newest(page).locator('.doing').waitFor();
    await ask(page, 'Get analytics for listing L003');
    await ask(page, 'Get analytics for listing L004');
    const waiting = () => page.getByLabel('Asked next').locator('.text').allInnerTexts();
    await eventually('two wait', async () => (await waiting()).length === 2);
    expect(await turns(page).count()).toBe(1);
    await page.getByRole('button', { name: /^do not ask: .*L004/ }).click();
    await page.reload();
    await answered(page, 2);
    expect(await turns(page).locator('.question p').allInnerTexts()).toEqual([
      'Get analytics for listing L002',
      'Get analytics for listing L003',
    ]);
  });

  it('stops at the Stop button, keeps its question, and asks it again', async () => {
    const page = await open(slowGateway);
    await ask(page, 'Get analytics for listing L001');
    await newest(page).getByRole('button', { name: 'Stop' }).click();
    await eventually('it is stopped', async () => (await page.locator('.turn.cancelled').count()) === 1);
    expect(await newest(page).innerText()).toMatch(/The run was cancelled\.\s*\n/);
    expect(await newest(page).innerText()).not.toMatch(/cancelled\. *cancelled/);
    await page.reload();
    await eventually('its question is in the log', async () =>
      (await newest(page).innerText()).includes('Get analytics for listing L001'),
    );
    await newest(page).getByRole('button', { name: 'edit', exact: true }).click();
    expect(await composer(page).inputValue()).toBe('Get analytics for listing L001');
    await composer(page).press('Enter');
    expect(await answered(page)).toContain('L001');
    expect(await turns(page).count()).toBe(1);
  });

  it('goes on from a question that is edited; the first one is in the log', async () => {
    const page = await open();
    await ask(page, 'Get analytics for listing L001');
    await answered(page);
    await ask(page, 'Get analytics for listing L002');
    await answered(page, 2);
    await turns(page).first().getByRole('button', { name: 'edit', exact: true }).click();
    await ask(page, 'Get analytics for listing L003');
    expect(await answered(page)).toContain('L003');
    expect(await turns(page).count()).toBe(1);
    await page.reload();
    expect(await answered(page)).toContain('L003');
    await newest(page).getByRole('button', { name: 'edited' }).click();
    await eventually('the first answer is in the log', async () =>
      (await messages(page)).join().includes('L001'),
    );
  });

  it('is found in the log, and its calls are', async () => {
    const page = await open();
    await ask(page, 'Get analytics for listing L001');
    await answered(page);
    await newest(page).getByRole('button', { name: 'in log' }).click();
    await eventually('the log shows the run', async () =>
      (await messages(page)).join().includes('run finished'),
    );
    expect(page.url()).toMatch(/channels=runs:chat-[0-9a-f]{16}/);
    await newest(page).getByRole('button', { name: 'in log' }).click();
    expect(page.url()).not.toContain('channels=');
    await newest(page).locator('.calls summary').click();
    expect(await newest(page).locator('.inside').innerText()).toContain('"L001"');
    await newest(page).getByRole('button', { name: 'open in log' }).click();
    await page.locator('#log .row.cursor', { hasText: 'tool.called' }).waitFor();
    await page.goBack();
    await newest(page).getByRole('button', { name: 'timeline' }).click();
    await page.locator('#timeline [role="treeitem"]').first().waitFor();
  });
});

describe('a call with an effect', () => {
  it('waits for consent, in every tab and after a reload, and is made once', async () => {
    const page = await open();
    await ask(page, SEND);
    await card(page).waitFor();
    expect(await card(page).innerText()).toMatch(/send listing report[\s\S]*me@example\.com/);
    await page.reload();
    await card(page).waitFor();
    const other = await openPage(browser, page.url());
    await card(other).getByRole('button', { name: 'Approve' }).click();
    expect(await answered(page)).toContain('sent to me@example.com');
    expect(await card(page).count()).toBe(0);
    expect((await calls(page)).join()).toMatch(/ approved$/);
    await answered(other);
    const read = async (path: string) => (await fetch(`${gateway.url}/api/${path}`)).json() as Promise<never>;
    const { runs } = (await read('runs?limit=1')) as { runs: { channel: string }[] };
    const { entries } = (await read(`entries?channels=${runs[0]?.channel}`)) as {
      entries: { event: string }[];
    };
    expect(entries.filter(({ event }) => event === 'tool.called')).toHaveLength(1);
  });

  it('that is denied is not made, and the model is told why', async () => {
    const page = await open();
    await ask(page, SEND);
    await card(page).getByLabel('Why not').fill('not today');
    await card(page).getByRole('button', { name: 'Deny' }).click();
    await answered(page);
    expect((await calls(page)).join()).toMatch(/■ listings: send listing report[\s\S]* denied: not today$/);
  });
});

describe('the panel', () => {
  it.each([
    { colours: 'dark', width: 1280 },
    { colours: 'light', width: 360 },
  ] as const)('has nothing serious for axe, and all of it is on screen: %o', async ({ colours, width }) => {
    const page = await open(gateway, { width, height: 740 });
    await page.emulateMedia({ colorScheme: colours });
    await ask(page, 'Generate a performance report for L001, L002 and L003');
    await answered(page);
    await ask(page, SEND);
    await card(page).waitFor();
    for (const summary of await page.locator('#chat summary').all()) await summary.press('Enter');
    await page.getByRole('button', { name: 'conversations' }).click();
    expect(await serious(page)).toEqual([]);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(beyond).toBeLessThanOrEqual(0);
    await page
      .locator('#chat [role=status]', { hasText: 'needs your consent' })
      .waitFor({ state: 'attached' });
  });

  it('is used by keys alone', async () => {
    const page = await open();
    await eventually('the question has the focus', () =>
      composer(page).evaluate((box) => box === document.activeElement),
    );
    await page.keyboard.type(SEND);
    await page.keyboard.press('Enter');
    await card(page).waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    while ((await focused()) !== 'Approve') await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await answered(page);
    await composer(page).focus();
    await page.keyboard.press('Escape');
    await page.keyboard.press('C');
    expect(await page.locator('#chat').isHidden()).toBe(true);
    await page.keyboard.press('C');
    await answered(page);
  });
});
