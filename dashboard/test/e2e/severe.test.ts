// Trouble stands out: how many errors and warnings have come since the reader last looked, where they are, and the tab that says so.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';
import { Tab } from './support/tab.ts';

let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const count = (page: Page) => page.locator('#status .severe');
const cursor = (page: Page) => page.locator('#log .row.cursor .msg');

/** A page with two screens of lines, and between them a warning and two errors. */
async function open(channel: string, search = '', size = {}): Promise<Page> {
  const line = (i: number) => ({ channel, source: 's', msg: `line ${i}` });
  await gateway.publish(
    ...Array.from({ length: 40 }, (_, i) => line(i)),
    { channel, source: 's', level: 'warn', msg: 'the queue is long' },
    { channel, source: 's', level: 'error', msg: 'out of memory' },
    ...Array.from({ length: 40 }, (_, i) => line(40 + i)),
    { channel, source: 't', level: 'fatal', msg: 'it is gone' },
    ...Array.from({ length: 60 }, (_, i) => line(80 + i)),
  );
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}${search}`, size);
  await lastRow(page, 'line 139');
  return page;
}

describe('the count of errors and warnings', () => {
  it('is always there, and a click leads to the first, from which on it counts anew', async () => {
    const page = await open('severe:click');
    await count(page).getByText('2 errors · 1 warning').waitFor();
    await count(page).click();
    await cursor(page).getByText('out of memory').waitFor();
    await count(page).getByText('0 errors').waitFor();
    await gateway.publish({ channel: 'severe:click', level: 'warn', msg: 'again' });
    await count(page).getByText('1 warning').waitFor();
  });

  it('has a key, which says so where there is none', async () => {
    const page = await open('severe:key');
    await count(page).getByText('2 errors').waitFor();
    await page.keyboard.press('!');
    await cursor(page).getByText('out of memory').waitFor();
    await page.keyboard.press('e');
    await cursor(page).getByText('it is gone').waitFor();
    await page.keyboard.press('!');
    await sees(page, 'no error and no warning since you last looked');
  });

  it('is of what the filter shows', async () => {
    const page = await open('severe:filter');
    await count(page).getByText('2 errors · 1 warning').waitFor();
    await page.getByRole('combobox', { name: 'Filter' }).fill('source:t');
    await page.keyboard.press('Enter');
    await count(page).getByText('1 error').waitFor();
  });
});

describe('the marks beside the scrollbar', () => {
  /** The heights at which there are marks, as shares of the whole, and their colours. */
  const marks = (page: Page) =>
    page.locator('canvas.minimap').evaluate((canvas: HTMLCanvasElement) => {
      const context = canvas.getContext('2d');
      const found: { at: number; color: string }[] = [];
      let before = '';
      for (let y = 0; context && canvas.height > 0 && y < canvas.height; y++) {
        const [r, g, b, alpha] = context.getImageData(2, y, 1, 1).data;
        const color = alpha === 0 ? '' : `rgb(${r}, ${g}, ${b})`;
        if (color !== '' && color !== before) found.push({ at: y / canvas.height, color });
        before = color;
      }
      return found;
    });

  it('stand where the errors and warnings are in the list, in the colours of their rows', async () => {
    const page = await open('severe:marks', '&theme=dark');
    await eventually('three marks', async () => (await marks(page)).length === 3);
    const color = (level: string) =>
      page.evaluate((name) => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.className = name;
        return getComputedStyle(probe).color;
      }, level);
    const found = await marks(page);
    expect(found.map((mark) => mark.color)).toEqual([
      await color('warn'),
      await color('bad'),
      await color('bad'),
    ]);
    // Of 143 lines, the lines 40, 41 and 82.
    for (const [i, line] of [40, 41, 82].entries())
      expect(Math.abs((found[i]?.at ?? 0) - line / 143), `line ${line}`).toBeLessThan(0.01);
  });

  it('take a click to the nearest of them', async () => {
    const page = await open('severe:nearest');
    await eventually('three marks', async () => (await marks(page)).length === 3);
    const box = await page.locator('canvas.minimap').boundingBox();
    if (!box) throw new Error('no marks');
    await page.mouse.click(box.x + 3, box.y + box.height * 0.9);
    await cursor(page).getByText('it is gone').waitFor();
    await page.mouse.click(box.x + 3, box.y + 5);
    await cursor(page).getByText('the queue is long').waitFor();
  });

  it('are none where all rows are in sight', async () => {
    const channel = 'severe:few';
    await gateway.publish({ channel, level: 'error', msg: 'the only line' });
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}`);
    await count(page).getByText('1 error').waitFor();
    expect(await marks(page)).toEqual([]);
  });
});

describe('a tab that is not in front', () => {
  it('says in its title and by its icon how many errors have come meanwhile', async () => {
    const channel = 'severe:hidden';
    await gateway.publish({ channel, level: 'error', msg: 'before' }, { channel, msg: 'the last' });
    const tab = await Tab.open(browser, `${gateway.url}/?channels=${channel}`);
    const title = () => tab.read<string>('document.title');
    const icon = () => tab.read<string>('document.querySelector("link[rel=icon]").href');
    await eventually('it has counted', async () =>
      (await tab.read<string>('document.body.innerText')).includes('1 error'),
    );
    const calm = await icon();
    const other = await Tab.open(browser, 'about:blank');
    await other.toFront();
    await eventually(
      'it is hidden',
      async () => (await tab.read<string>('document.visibilityState')) === 'hidden',
    );
    expect(await title()).toBe('LLM Streamer');
    await gateway.publish(...lines(2, 0, { channel, level: 'fatal' }), ...lines(3, 2, { channel }));
    await eventually('the title counts', async () => (await title()) === '2 errors · LLM Streamer');
    expect(await icon()).not.toBe(calm);
    await tab.toFront();
    await eventually('the title is as before', async () => (await title()) === 'LLM Streamer');
    expect(await icon()).toBe(calm);
  });
});

it.each([
  ['dark', 1280],
  ['light', 1000],
  ['light', 360],
])('axe finds nothing serious in rows of all levels: %s, %i px', async (theme, width) => {
  const page = await open(`severe:axe-${theme}-${width}`, `&theme=${theme}`, { width });
  await count(page).getByText('2 errors').waitFor();
  await page.keyboard.press('!');
  await cursor(page).getByText('out of memory').waitFor();
  expect(await serious(page)).toEqual([]);
});
