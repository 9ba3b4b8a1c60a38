// What a newcomer sees: words on every button, a tooltip on each, the pictures within reach on every screen, and legends that can be read.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';

let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

describe('the lines above and below the log', () => {
  it.each([
    [1440, ['fleet', 'running now', 'run timeline', 'ask models']],
    [360, ['fleet', 'running', 'timeline', 'ask']],
  ])('at %i px show the way to each picture, and every button says what it does', async (width, names) => {
    const page = await openPage(browser, gateway.url, { width, height: 740 });
    await sees(page, 'LIVE');
    await page.locator('#status .severe').waitFor();
    for (const name of names) await button(page, name).click({ trial: true });
    await button(page, 'all channels').waitFor();
    const mute = await page
      .locator(':is(#bar, #status) :is(button, select)')
      .evaluateAll((all) =>
        all.filter((each) => (each as HTMLElement).title === '').map((each) => each.outerHTML),
      );
    expect(mute).toEqual([]);
    expect(await serious(page)).toEqual([]);
  });

  it('name the first channel, and how many more there are', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:a,logs:b,events:*`);
    await button(page, 'logs:a +2').waitFor();
  });

  it('the button of the timeline shows the newest run, without a row or a key', async () => {
    const channel = 'words:timeline';
    const about = { channel, source: 's', run: 'newest-run' };
    await gateway.publish(
      { ...about, run: 'older-run', event: 'run.started', msg: 'started' },
      { ...about, event: 'run.started', msg: 'started' },
      { channel, source: 's', msg: 'of no run' },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}`, { width: 1440 });
    await lastRow(page, 'of no run');
    await button(page, 'run timeline').click();
    await page.getByRole('tree', { name: 'Run newest-run' }).waitFor();
    expect(await button(page, 'run timeline').getAttribute('aria-pressed')).toBe('true');
    await button(page, 'run timeline').click();
    await lastRow(page, 'of no run');
  });
});

it('a first visit is told where the keys are, and a first step that Enter opens the row', async () => {
  const channel = 'words:first';
  await gateway.publish({ channel, msg: 'a line' });
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}`);
  await sees(page, 'the key ? shows all keys');
  await page.reload();
  await lastRow(page, 'a line');
  await page.keyboard.press('k');
  await sees(page, 'Enter opens the row');
  expect(await page.locator('#status').innerText()).not.toContain('the key ?');
});

describe('the legends of the charts', () => {
  const finished = (channel: string, model: string, tokens: number) => ({
    channel,
    source: model,
    run: model,
    event: 'generation.finished',
    msg: 'finished',
    attrs: {
      'gen_ai.request.model': `org/${model}`,
      'gen_ai.usage.output_tokens': tokens,
      'gen_ai.response.time_to_first_chunk': 0.2,
    },
  });
  const lines = (page: Page) => page.locator('#charts figure').nth(2).locator('.lines > span');

  it('name the models that make most tokens, in different colours, and count the rest as one line', async () => {
    const channel = 'words:models';
    await gateway.publish(...Array.from({ length: 9 }, (_, i) => finished(channel, `model-${i}`, 100 - i)));
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&charts=1`, { width: 1440 });
    await eventually(
      'five models and the rest',
      async () =>
        (await lines(page).locator('bdi').allInnerTexts()).join() ===
        'model-0,model-1,model-2,model-3,model-4,4 more',
    );
    const colors = await lines(page).evaluateAll((all) => all.map((line) => getComputedStyle(line).color));
    expect(new Set(colors).size).toBe(6);
    expect(await serious(page)).toEqual([]);
  });

  it('have a table of all values under the pointer, with whole names, the greatest first', async () => {
    const channel = 'words:table';
    const name = `a-model-with-a-name-${'that-goes-on-'.repeat(2)}`;
    await gateway.publish(finished(channel, 'small', 3), finished(channel, name, 90));
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&charts=1`, { width: 1440 });
    const chart = page.locator('#charts figure').nth(2);
    await chart.locator('.u-over').waitFor();
    const box = await chart.locator('.u-over').boundingBox();
    if (!box) throw new Error('no chart');
    await eventually('the second with the tokens', async () => {
      for (let x = box.width - 2; x > box.width * 0.5; x -= 3) {
        await page.mouse.move(box.x + x, box.y + 30);
        if (/90/.test(await chart.locator('.values').innerText())) return true;
      }
      return false;
    });
    const rows = await chart.locator('.values > span').allInnerTexts();
    expect(rows[0]).toMatch(/^\d\d:\d\d/);
    expect(rows[1]).toContain(name);
    expect(rows[2]).toContain('small');
    const place = await chart.locator('.values').boundingBox();
    const frame = await chart.boundingBox();
    expect(place && frame && place.x >= frame.x).toBe(true);
    await page.mouse.move(10, 600);
    await chart.locator('.values').waitFor({ state: 'hidden' });
  });
});
