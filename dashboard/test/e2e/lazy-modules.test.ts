// Modules that are loaded when first needed: a load that fails is shown to the reader, breaks nothing, and is tried
// again when the module is needed again.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually, lastRow, messages, openPage, sees, twoFrames } from './support/page.ts';
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

/** Opens the page with one module that cannot be fetched. */
async function openWithout(name: string, search = ''): Promise<Page> {
  const page = await openPage(browser, `${gateway.url}/${search}`, {
    before: (fresh) => fresh.route(`**/assets/${name}-*.js`, (route) => route.abort('connectionrefused')),
  });
  await sees(page, search.includes('shared=0') && name === 'client' ? 'RETRYING' : 'LIVE');
  return page;
}

const press = (key: string) => (page: Page) => page.keyboard.press(key);
const click = (name: string) => (page: Page) => page.getByRole('button', { name, exact: true }).click();

describe('a module that cannot be loaded', () => {
  // The number says how often the action is repeated: most actions open and close alternately.
  it.each<[string, string, (page: Page) => Promise<void>, number, string]>([
    ['detail', 'the detail', (page) => page.locator('#log .row').first().click(), 2, '#detail .fields'],
    ['channel-list', 'the channel list', (page) => page.locator('button.channels').click(), 2, '#list form'],
    ['help', 'the help', click('Help and keys'), 1, 'dialog[open]'],
    ['charts', 'the charts', click('charts'), 2, '#charts canvas'],
    ['fleet', 'the fleet', (page) => page.getByRole('button', { name: 'fleet' }).click(), 2, '#fleet .row'],
    ['running', 'what runs', click('running now'), 2, '#running [role="grid"]'],
    ['panel', 'the run panel', click('ask models'), 2, '#panel textarea'],
    ['load', 'what loads gaps', click('load'), 1, '.row.gap:has-text("gone from the log")'],
  ])('%s: the page says so, and shows it at the next attempt', async (file, name, act, repeats, selector) => {
    const page = await openWithout(file);
    gateway.send(['a', 'b']);
    const gap = { channel: 'logs', after: '1-1', before: '2-9', reason: 'trimmed', missed: 7 };
    gateway.write(frame('gap', gap, '2-8'));
    gateway.entries = { entries: [], gaps: [gap], done: true };
    await sees(page, 'lost 7 / 2');
    await act(page);
    await sees(page, `${name} could not be loaded`);
    await page.unrouteAll();
    for (let i = 0; i < repeats; i++) await act(page);
    await page.locator(selector).first().waitFor();
  });

  it('is loaded without an action when the stream is live again', async () => {
    const page = await openWithout('charts', '?charts=1');
    await page.unrouteAll();
    gateway.cut();
    await page.locator('#charts canvas').first().waitFor();
  });

  it('the empty state: is not shown, and is shown in the next empty view', async () => {
    const page = await openWithout('empty', '?list=1');
    // The module is requested after its style sheet.
    await eventually('it was requested', () =>
      page.evaluate(() =>
        performance.getEntriesByType('resource').some(({ name }) => /empty-[^/]*\.js$/.test(name)),
      ),
    );
    await page.unrouteAll();
    expect(await page.locator('.empty').count()).toBe(0);
    await page.getByLabel('Add a channel or pattern').fill('other');
    await page.keyboard.press('Enter');
    await page.locator('.empty pre').first().waitFor();
  });

  it('what folds rows: each entry has a row until the stream is live again', async () => {
    const page = await openWithout('folds');
    await sees(page, 'what folds rows could not be loaded');
    gateway.send(['again', 'again']);
    await eventually('two rows', async () => (await messages(page)).join() === 'again,again');
    await page.unrouteAll();
    gateway.answer = (response) => gateway.greet(response, { resumed: true });
    gateway.cut();
    await eventually('one row', async () => (await messages(page)).some((msg) => /^×2 .*again$/.test(msg)));
  });

  it('the keys: work from a later key on', async () => {
    const page = await openWithout('keys');
    gateway.send(['a']);
    await lastRow(page, 'a');
    await press('T')(page);
    await sees(page, 'the keys could not be loaded');
    await page.unrouteAll();
    await press('Escape')(page);
    await eventually('the first key counts, too', () => page.url().includes('time=utc'));
  });

  it('the export: says so and works the next time', async () => {
    const page = await openWithout('export');
    gateway.send(['a']);
    await lastRow(page, 'a');
    await click('export')(page);
    await sees(page, 'the export could not be loaded');
    await page.unrouteAll();
    await Promise.all([page.waitForEvent('download'), click('export')(page)]);
  });

  it('the client of a page without SharedWorker: the stream’s state says so, and the page tries again', async () => {
    const page = await openWithout('client', '?shared=0');
    await sees(page, 'a part of the page could not be loaded');
    await page.unrouteAll();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await sees(page, 'LIVE');
  });
});

describe('what compiles filters', () => {
  const link = () => `${gateway.url}/?q=wanted&range=1000..9000000000000`;

  it('is awaited by a link with a filter: no stream is opened, and nothing unfiltered is shown, before it is there', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const page = await openPage(browser, link(), {
      before: (fresh) =>
        fresh.route('**/assets/filter-compiler-*.js', async (route) => {
          asked();
          await released;
          await route.continue();
        }),
    });
    await isAsked;
    await eventually('the page knows who sits here', () => gateway.profiles > 0);
    await twoFrames(page);
    expect(gateway.requests).toHaveLength(0);
    release();
    await sees(page, 'LIVE');
    gateway.send(['wanted', 'other']);
    await sees(page, '1 hidden by filter');
    expect(await messages(page)).toEqual(['wanted']);
  });

  it('that cannot be loaded: the page says that the filter is not applied, shows all, and applies it later', async () => {
    const asked = Promise.withResolvers<void>();
    const page = await openPage(browser, link(), {
      before: (fresh) =>
        fresh.route('**/assets/filter-compiler-*.js', async (route) => {
          await asked.promise;
          await route.abort('connectionrefused');
        }),
    });
    // The reader does not wait for it.
    await click('charts')(page);
    asked.resolve();
    await sees(page, 'LIVE');
    gateway.send(['wanted', 'other']);
    await lastRow(page, 'other');
    await sees(page, 'what filters could not be loaded; not applied');
    await page.unrouteAll();
    gateway.cut();
    await sees(page, '1 hidden by filter');
    await eventually('it no longer says so', async () => (await page.locator('.problem').count()) === 0);
  });
});

it('a list of completions that arrives after Enter is never shown, and handles no Escape', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const page = await openPage(browser, gateway.url, {
    before: (fresh) =>
      fresh.route('**/assets/completions-*.js', async (route) => {
        await released;
        await route.continue();
      }),
  });
  await sees(page, 'LIVE');
  gateway.send(['an event']);
  await lastRow(page, 'an event');
  const filter = page.getByRole('combobox', { name: 'Filter' });
  const came = page.waitForResponse(/completions-/);
  await filter.fill('event');
  await filter.press('Alt+Enter');
  await page.locator('#log mark').waitFor();
  release();
  await (await came).finished();
  await twoFrames(page);
  expect(await page.getByRole('listbox').count()).toBe(0);
  await filter.press('Escape');
  await eventually('no marks', async () => (await page.locator('#log mark').count()) === 0);
});

it('one Escape closes the list of completions, the next clears the filter', async () => {
  const page = await openPage(browser, `${gateway.url}/?q=event`);
  await sees(page, 'LIVE');
  gateway.send(['an event']);
  await lastRow(page, 'an event');
  const filter = page.getByRole('combobox', { name: 'Filter' });
  await filter.fill('event');
  await page.getByRole('listbox').waitFor();
  await filter.press('Escape');
  expect(await page.getByRole('listbox').count()).toBe(0);
  expect(page.url()).toContain('q=event');
  await filter.press('Escape');
  await eventually('the filter is cleared', () => !page.url().includes('q='));
});
