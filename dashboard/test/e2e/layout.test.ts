// The layout at every width: nothing covers the log, and every button is on the screen.
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';
import { frame, ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
let gateway: ScriptedGateway;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  gateway = await ScriptedGateway.ofTest();
});

const PHONE = { width: 360, height: 740 };

async function open(search = '', size = PHONE): Promise<Page> {
  const page = await openPage(browser, `${gateway.url}/${search}`, size);
  await sees(page, 'LIVE');
  return page;
}

/** Waits until the middle of an element is on the screen, with nothing over it. */
async function isOnScreen(name: string, locator: Locator): Promise<void> {
  const read = () =>
    locator.evaluate((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const there = document.elementFromPoint(left + width / 2, top + height / 2);
      return width > 0 && height > 0 && element.contains(there);
    });
  await eventually(`${name} can be seen and clicked`, read);
}

const log = (page: Page) => page.locator('#log').boundingBox();

describe('an open run panel', () => {
  it.each([
    [360, 740],
    [700, 900],
  ])('leaves the newest entry, the pill and the detail on a screen of %i × %i', async (width, height) => {
    const page = await open('?panel=run&charts=1', { width, height });
    await page.locator('#charts canvas').first().waitFor();
    gateway.send(Array.from({ length: 60 }, (_, i) => `line ${i}`));
    await lastRow(page, 'line 59');
    await page.locator('#panel textarea').waitFor();
    await isOnScreen('the newest entry', page.locator('#log .row').last());
    await page.locator('#log .row', { hasText: 'line 59' }).click();
    await isOnScreen('the detail', page.locator('#detail .actions button').last());
    await isOnScreen('its fields', page.locator('#detail .fields'));
    await isOnScreen('the pill', page.locator('.pill button').first());
    await isOnScreen('the entry', page.locator('#log .row.cursor .msg'));
    await isOnScreen('the panel', page.locator('#panel textarea'));
  });

  it('beside the channel list leaves room for messages and charts', async () => {
    const page = await open('?panel=run&list=1&charts=1', { width: 1440, height: 900 });
    gateway.send(['a message that is not long']);
    await lastRow(page, 'a message that is not long');
    await page.locator('#panel textarea').waitFor();
    await page.locator('#list form').waitFor();
    await page.locator('#charts canvas').first().waitFor();
    const widths = (selector: string) =>
      page.locator(selector).evaluateAll((all) => all.map((each) => each.clientWidth));
    await eventually('messages of 30 characters', async () =>
      (await widths('#log .msg')).every((width) => width >= 30 * 7),
    );
    await eventually('charts that can be read', async () => {
      const charts = await widths('#charts canvas');
      return charts.length === 4 && charts.every((width) => width >= 250);
    });
  });
});

describe('a narrow screen', () => {
  it('has source and short channel above the message, which has the whole width', async () => {
    const page = await open();
    const fields = { channel: 'logs:generation', source: 'gpu-7', level: 'warn' };
    gateway.write(gateway.entry('a long message '.repeat(8), fields).text);
    gateway.write(gateway.entry('below').text);
    await lastRow(page, 'below');
    const row = page.locator('#log .row').first();
    expect(await row.innerText()).toMatch(/WRN\s*gpu-7\s*generation\s*a long message/);
    const boxes = async (name: string) => {
      const box = await row.locator(name).boundingBox();
      if (!box) throw new Error(`no ${name}`);
      return box;
    };
    const [time, source, channel, msg] = [
      await boxes('.time'),
      await boxes('.src'),
      await boxes('.chn'),
      await boxes('.msg'),
    ];
    expect([source.y, channel.y]).toEqual([time.y, time.y]);
    expect(msg.y).toBe(time.y + time.height);
    expect(msg.width).toBeGreaterThan(PHONE.width * 0.85);
    // The rows have the heights that were computed, so that the last line of the message is there, and the next row below it.
    const { needed, given } = await row.evaluate((element) => {
      const message = element.querySelector('.msg') as HTMLElement;
      return { needed: message.scrollHeight, given: element.clientHeight - 20 };
    });
    expect(given).toBe(needed);
  });

  it("marks a run's entries in the run's colour", async () => {
    const page = await open();
    for (const [msg, run] of [['a', 'r1'], ['b'], ['c', 'r1']])
      gateway.write(gateway.entry(msg ?? '', run === undefined ? {} : { run }).text);
    await lastRow(page, 'c');
    const marks = await page.locator('#log .row .run').evaluateAll((all) =>
      all.map((mark) => {
        const { backgroundColor, visibility } = getComputedStyle(mark);
        return visibility === 'visible' && mark.clientWidth > 0 ? backgroundColor : 'none';
      }),
    );
    const none = 'rgba(0, 0, 0, 0)';
    expect(marks[0]).not.toMatch(/^none$/);
    expect(marks).toEqual([marks[0], none, marks[0]]);
    expect(marks[0]).not.toBe(none);
  });

  it('keeps the log in its place while the stream is retried, and says why', async () => {
    const page = await open();
    const before = await log(page);
    gateway.answer = (response) => response.writeHead(503).end();
    gateway.cut();
    await sees(page, /RETRYING/);
    await isOnScreen('the way to retry now', page.getByRole('button', { name: 'now', exact: true }));
    await isOnScreen('the reason', page.locator('.reason'));
    expect(await log(page)).toEqual(before);
  });

  it('shows a notice without moving the log', async () => {
    const page = await open();
    const before = await log(page);
    await page.getByRole('button', { name: 'link', exact: true }).click();
    await isOnScreen('the notice', page.getByText('link copied'));
    expect(await log(page)).toEqual(before);
  });
});

it.each([360, 720, 900, 1_000, 1_200, 1_440, 1_520])(
  'every button of the bottom line is whole on a screen of %i px, however large the counts are',
  async (width) => {
    const page = await open('', { width, height: 740 });
    gateway.send(Array.from({ length: 501 }, (_, i) => `line ${i}`));
    gateway.write(
      frame('gap', { channel: null, after: '1-1', before: '2-9', reason: 'reset', missed: null }),
    );
    await sees(page, 'lost 0 + 1 of unknown size / 501');
    for (const button of await page.locator('#status button:visible').all()) {
      const title = (await button.getAttribute('title')) ?? 'a button';
      await isOnScreen(title, button);
      const box = await button.boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? 0), title).toBeLessThanOrEqual(width);
    }
  },
);

it('a low screen with charts still shows the log', async () => {
  const page = await open('?charts=1', { width: 740, height: 360 });
  await page.locator('#charts canvas').first().waitFor();
  await eventually('six lines', async () => ((await log(page))?.height ?? 0) >= 120);
});

it('the time of the last check has the same form as times in the log', async () => {
  const page = await open('', { width: 1440, height: 900 });
  gateway.send(['a']);
  gateway.ping();
  await sees(page, 'lost 0 / 1 ✓');
  expect(await page.locator('.ledger').getAttribute('title')).toMatch(/last at \d\d:\d\d:\d\d;/);
});
