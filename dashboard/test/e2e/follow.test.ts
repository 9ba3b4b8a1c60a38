// Follow, held and paused: the page always shows which one it is, keeps the same entries on screen while it is held or
// paused, and counts the entries that arrive meanwhile.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees, status, twoFrames } from './support/page.ts';

describe('follow, held and paused', () => {
  let gateway: Gateway;
  let browser: Browser;
  let page: Page;
  let next = 0;

  const publish = async (count: number, fields: Record<string, unknown> = {}) => {
    await gateway.publish(...lines(count, next, fields));
    next += count;
  };

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    await publish(200);
    page = await openPage(browser, `${gateway.url}/?channels=logs`);
    await lastRow(page, `line ${next - 1}`);
  });

  it('follows at the bottom', async () => {
    await publish(50);
    await lastRow(page, `line ${next - 1}`);
    expect(await status(page)).toContain('FOLLOW');
  });

  it('keeps the same entries on screen when the reader scrolls up, and counts new entries and errors', async () => {
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -400);
    await sees(page, 'HELD');
    const held = await messages(page);
    await publish(30);
    await publish(3, { level: 'error' });
    await sees(page, '33 new · 3 errors');
    expect(await messages(page)).toEqual(held);
    await page.keyboard.press('G');
    await lastRow(page, `line ${next - 1}`);
    await sees(page, 'FOLLOW');
  });

  it('has the hold in the URL, and a reload holds at the end with nothing counted as new', async () => {
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -400);
    await sees(page, 'HELD');
    await eventually('the URL says so', () => page.url().includes('follow=0'));
    await page.reload();
    await sees(page, 'HELD');
    await sees(page, '↓ latest');
    expect(await messages(page)).toContain(`line ${next - 1}`);
    expect(page.url()).toContain('follow=0');
    await page.keyboard.press('G');
    await sees(page, 'FOLLOW');
    await eventually('the URL says so', () => !page.url().includes('follow'));
  });

  it('keeps the same entry at the top when rows are wrapped differently', async () => {
    const long = lines(60, next).map((line) => ({ ...line, msg: `${line.msg} ${'long '.repeat(100)}` }));
    await gateway.publish(...long);
    next += long.length;
    await lastRow(page, `line ${next - 1}`);
    await page.keyboard.press('PageUp');
    await sees(page, 'HELD');
    await twoFrames(page);
    const topRow = async () => /line \d+/.exec((await messages(page))[0] ?? '')?.[0];
    const rebuilt = () => page.evaluate(() => performance.getEntriesByName('rebuild')[0]?.startTime);
    const held = await topRow();
    for (const what of ['wrapped', 'unwrapped']) {
      const before = await rebuilt();
      await page.keyboard.press('w');
      await eventually(`rows are ${what}`, async () => (await rebuilt()) !== before);
      await twoFrames(page);
      expect(await topRow(), what).toBe(held);
    }
  });

  it('holds while text is selected', async () => {
    await page.locator('#log .row .msg').nth(5).dblclick();
    await sees(page, 'HELD');
    await publish(10);
    await sees(page, '10 new');
  });

  it('follows on G although text is selected, and keeps following', async () => {
    const row = (i: number) => page.locator('#log .row .msg').nth(i);
    const [from, to] = [await row(3).boundingBox(), await row(5).boundingBox()];
    if (!from || !to) throw new Error('no rows');
    await page.mouse.move(from.x + 2, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(to.x + 30, to.y + 10, { steps: 5 });
    await page.mouse.up();
    await sees(page, 'HELD');
    await page.keyboard.press('G');
    await sees(page, 'FOLLOW');
    await publish(50);
    await lastRow(page, `line ${next - 1}`);
    await publish(50);
    await lastRow(page, `line ${next - 1}`);
    await twoFrames(page);
    expect(await status(page)).toContain('FOLLOW');
  });

  it('keeps its place after a filter whose rows all fit on the screen', async () => {
    await page.keyboard.press('g');
    await sees(page, 'HELD');
    await twoFrames(page);
    const top = await messages(page);
    await page.keyboard.press('PageDown');
    await page.keyboard.press('PageDown');
    await eventually('two pages down', async () => !(await messages(page)).some((msg) => top.includes(msg)));
    const held = await messages(page);
    const filter = page.getByRole('combobox', { name: 'Filter' });
    await filter.fill(`/^line ${next - 1}$/`);
    await filter.press('Enter');
    // There is also a gap at the front.
    await eventually('one row', async () => (await messages(page)).length <= 2);
    // Waits for the browser's scroll event of this change.
    await twoFrames(page);
    await filter.fill('');
    await filter.press('Enter');
    await eventually('what was held', async () => (await messages(page)).join() === held.join());
    await sees(page, 'HELD');
  });

  it('counts entries as new that arrived since, not entries that another filter shows', async () => {
    await publish(3, { msg: 'early' });
    await publish(20);
    await lastRow(page, `line ${next - 1}`);
    await page.getByRole('combobox', { name: 'Filter' }).fill('early');
    await page.keyboard.press('Enter');
    await lastRow(page, 'early');
    await page.getByRole('button', { name: 'FOLLOW' }).click();
    await sees(page, '↓ latest');
    await publish(2);
    await page.getByRole('combobox', { name: 'Filter' }).fill('');
    await page.keyboard.press('Enter');
    await sees(page, '↓ 2 new');
  });

  it('holds when everything is selected', async () => {
    await page.keyboard.press('Control+a');
    await sees(page, 'HELD');
    await page.keyboard.press('G');
    await sees(page, 'FOLLOW');
    expect(await page.evaluate(() => getSelection()?.isCollapsed)).toBe(true);
  });

  it('holds while a row has the focus', async () => {
    await page.locator('#log').focus();
    await page.keyboard.press('k');
    await sees(page, 'HELD');
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    await publish(10);
    await sees(page, '10 new');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(focused);
  });

  it('follows again when the reader scrolls to the end', async () => {
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -400);
    await sees(page, 'HELD');
    await publish(20);
    await sees(page, '20 new');
    await page.mouse.wheel(0, 5_000);
    await sees(page, 'FOLLOW');
    await lastRow(page, `line ${next - 1}`);
  });

  it('Space pauses even at the bottom, entries are still received, and Space goes back to where the reader was', async () => {
    await page.keyboard.press('Space');
    await sees(page, 'PAUSED');
    const seen = next - 1;
    await publish(500);
    await sees(page, '500 new');
    await page.keyboard.press('g');
    await eventually(
      'the top is shown',
      async () => !(await messages(page)).some((msg) => msg === `line ${seen}`),
    );
    await page.keyboard.press('Space');
    await eventually('the first unseen entry is on screen', async () => {
      const shown = await messages(page);
      return shown.includes(`line ${seen}`) && shown.includes(`line ${seen + 1}`);
    });
    await sees(page, 'HELD');
    await page.keyboard.press('G');
    await lastRow(page, `line ${next - 1}`);
  });

  it('a pause does not end when the reader scrolls to the end', async () => {
    await page.keyboard.press('Space');
    await sees(page, 'PAUSED');
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -200);
    await page.mouse.wheel(0, 9_000);
    await publish(5);
    await sees(page, '5 new');
    expect(await status(page)).toContain('PAUSED');
  });
});
