// Everything can be done by keyboard, no key disturbs typing or the browser's own keys, and axe finds nothing serious.
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';

let gateway: Gateway;
let browser: Browser;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  await gateway.publish(
    ...lines(60),
    { channel: 'logs', msg: 'first error', level: 'error', run: 'r1' },
    ...lines(20, 60),
    { channel: 'logs', msg: 'second error', level: 'fatal', run: 'r1', event: 'run.failed' },
    { channel: 'logs', msg: 'a warning \u001b[32mgreen\u001b[0m', level: 'warn' },
    ...lines(5, 80, { level: 'debug' }),
    {
      channel: 'logs',
      msg: 'Once',
      event: 'generation.delta',
      run: 'r2',
      attrs: { lane: 'llm-1', tokens: 1 },
    },
    { channel: 'logs', msg: 'the end' },
  );
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const open = async (search = '', size = {}) => {
  const page = await openPage(browser, `${gateway.url}/?channels=logs${search}`, size);
  await lastRow(page, 'the end');
  return page;
};

const cursor = (page: Page) => page.locator('#log .row.cursor .msg').innerText();

describe('the keyboard', () => {
  it('moves over rows, errors, runs and hits', async () => {
    const page = await open();
    const press = async (keys: string, expected: string) => {
      for (const key of keys) await page.keyboard.press(key);
      await eventually(`${keys} leads to ${expected}`, async () => (await cursor(page)).includes(expected));
    };
    await press('k', 'the end');
    await press('k', 'Once');
    await press('j', 'the end');
    await press('E', 'second error');
    await press('E', 'first error');
    await press('e', 'second error');
    await press('O', 'first error');
    await press('o', 'second error');
    await page.keyboard.press('/');
    await page.keyboard.type('green');
    await page.keyboard.press('Alt+Enter');
    await page.locator('#log').focus();
    await press('n', 'a warning green');
  });

  it('has one meaning for each key', async () => {
    const page = await open();
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog');
    await dialog.locator('kbd').first().waitFor();
    const keys = await dialog.locator('kbd').allInnerTexts();
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });

  it('opens and closes the detail and the help, and steps through the levels, without a mouse', async () => {
    const page = await open();
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'Entry detail' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually('closed', async () => !(await page.locator('#detail').isVisible()));
    expect(await cursor(page), 'the row just read').toBe('the end');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually('closed', async () => !(await page.getByRole('dialog').isVisible()));
    await page.keyboard.press('5');
    await eventually('errors only', async () => (await messages(page)).length === 2);
    await page.keyboard.press('1');
    await page.keyboard.press('G');
    await lastRow(page, 'the end');
    await page.keyboard.press('m');
    await sees(page, /mark \d/);
    await page.keyboard.press('y');
    await sees(page, 'link copied');
  });

  it('types into the filter without triggering keys, and leaves the browser its own', async () => {
    const page = await open();
    await page.keyboard.press('/');
    await page.keyboard.type('wt1');
    expect(await page.getByRole('combobox', { name: 'Filter' }).inputValue()).toBe('wt1');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Alt+e');
    expect(await page.locator('.cursor').count()).toBe(0);
  });

  it('reaches and scrolls areas that are larger than their place: charts and fields', async () => {
    const page = await open('&charts=1&panel=run', { width: 700 });
    await page.locator('#charts canvas').first().waitFor();
    await page.locator('#panel textarea').waitFor();
    await page.locator('#log .row').last().click();
    const fields = page.getByRole('region', { name: 'Fields' });
    await fields.waitFor();
    const scrolls = async (element: Locator, key: string) => {
      await element.focus();
      await eventually(`${key} scrolls`, async () => {
        await page.keyboard.press(key);
        return element.evaluate((each) => each.scrollLeft + each.scrollTop > 0);
      });
    };
    await scrolls(page.getByRole('group', { name: 'Charts' }), 'ArrowRight');
    await scrolls(fields, 'ArrowDown');
    expect(await cursor(page), 'the row stays').toBe('the end');
  });

  it('can have its single keys switched off', async () => {
    const page = await open('&keys=0');
    await page.keyboard.press('w');
    await page.keyboard.press('T');
    expect(page.url()).not.toMatch(/wrap|time/);
  });
});

describe('accessibility', () => {
  it.each([
    ['dark, wide', 'dark', 1280, ''],
    ['light, wide', 'light', 1280, ''],
    ['dark, with channels, charts and detail', 'dark', 1280, '&list=1&charts=1'],
    ['light, narrow', 'light', 360, ''],
    ['dark, narrow, with charts and detail', 'dark', 360, '&charts=1'],
    ['light, 700 px, with everything open', 'light', 700, '&charts=1&panel=run'],
    ['light, with everything open', 'light', 1280, '&list=1&charts=1'],
  ])('axe finds nothing serious: %s', async (_name, theme, width, search) => {
    const page = await open(`&theme=${theme}${search}`, { width });
    if (search !== '') {
      // A click needs the row in the same place when the button goes up, so nothing may open above or beside it
      // meanwhile.
      for (const [part, content] of Object.entries({ charts: 'canvas', list: 'li', panel: 'textarea' }))
        if (search.includes(part)) await page.locator(`#${part} ${content}`).first().waitFor();
      await page.locator('#log .row').last().click();
      await page.getByRole('region', { name: 'Entry detail' }).waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    const inDialog = await serious(page);
    await page.keyboard.press('Escape');
    expect([...inDialog, ...(await serious(page))]).toEqual([]);
  });

  it('has a silent log, and announces sums politely', async () => {
    const page = await open();
    expect(await page.locator('#log').getAttribute('aria-live')).toBe('off');
    // The module that announces is loaded after the first picture, and counts from then on.
    await eventually('a summary', async () => {
      await gateway.publish({ channel: 'logs', msg: 'the end', level: 'error' });
      return /\d+ entr(?:y|ies), \d+ errors?/.test(await page.locator('#summary').innerText());
    });
  });
});
