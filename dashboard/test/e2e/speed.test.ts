// The page's bounds: rows, nodes and bytes to load. Also the charts, which count the entries themselves. The page's
// speed is measured by its bench, not here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { ROOT } from '../../../test-support/process.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';
import { ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe('bounds', () => {
  it('keeps the last 100,000 entries with at most 150 rows in the document, and shows how many it evicted', async () => {
    const gateway = await ScriptedGateway.ofTest();
    const page = await openPage(browser, gateway.url, { height: 1_000 });
    await sees(page, 'LIVE');
    for (let sent = 0; sent < 120_000; sent += 2_000)
      gateway.send(lines(2_000, sent).map(({ msg }) => String(msg)));
    gateway.ping();
    await sees(page, 'lost 0 / 120,000 ✓');
    await sees(page, '100,000 kept');
    expect(await page.locator('#log .row').count()).toBeLessThanOrEqual(150);
    await page.keyboard.press('g');
    await sees(page, '20,000 entries · evicted from this page');
    await page.keyboard.press('/');
    await page.keyboard.type('119');
    await page.keyboard.press('Enter');
    await sees(page, /9[\d,]+ hidden by filter/);
    await page.keyboard.press('Escape');
    await page.keyboard.press('G');
    await lastRow(page, 'line 119999');
  });

  it('has a shell of at most 35 kB gzipped, charts not in it', () => {
    const dist = join(ROOT, 'dashboard/dist');
    const html = readFileSync(join(dist, 'index.html'), 'utf8');
    const parts = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) =>
      join(dist, path ?? ''),
    );
    expect(parts.length).toBeGreaterThanOrEqual(2);
    const sizes = [join(dist, 'index.html'), ...parts].map((file) => gzipSync(readFileSync(file)).length);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(35_000);
    expect(readdirSync(join(dist, 'assets')).some((name) => name.startsWith('charts-'))).toBe(true);
  });

  it('loads at most 25 kB gzipped for the chat, its styles included', () => {
    const assets = join(ROOT, 'dashboard/dist/assets');
    const withComposer = (kind: string) =>
      readdirSync(assets)
        .filter((name) => name.endsWith(kind))
        .map((name) => readFileSync(join(assets, name)))
        .filter((part) => part.includes('composer'));
    const [chat, styles] = [withComposer('.js'), withComposer('.css')];
    expect([chat.length, styles.length]).toEqual([1, 1]);
    const sizes = [...chat, ...styles].map((part) => gzipSync(part).length);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(25_000);
  });
});

describe('charts', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.stop());

  it('are loaded when opened, count the entries themselves, and a click goes to the entries', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs`);
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(request.url()));
    await sees(page, 'LIVE');
    const time = Date.now() - 20_000;
    await gateway.publish(
      ...lines(10, 0, { time }),
      { channel: 'logs', msg: 'went wrong', level: 'error', time },
      ...lines(10, 10, { time: time + 10_000 }),
      {
        channel: 'logs',
        event: 'generation.finished',
        msg: 'done',
        time: time + 10_000,
        attrs: {
          'gen_ai.request.model': 'm-1',
          'gen_ai.usage.output_tokens': 80,
          'gen_ai.response.time_to_first_chunk': 0.25,
        },
      },
    );
    await lastRow(page, 'done');
    expect(loaded.some((url) => url.includes('charts-'))).toBe(false);
    await page.getByRole('button', { name: 'charts' }).click();
    await eventually('four charts', async () => (await page.locator('#charts canvas').count()) === 4);
    await sees(page, /m-1\s+250ms/);

    // The error's bar is 20 s before the end of a minute; a click on it jumps to the error.
    const errors = page.locator('#charts .u-over').nth(1);
    const box = await errors.boundingBox();
    if (!box) throw new Error('no chart');
    const age = (Date.now() - 1_000 - time) / 60_000;
    await page.mouse.click(box.x + box.width * (1 - age) - 6, box.y + box.height / 2);
    await eventually('the error is under the cursor', async () =>
      (await page.locator('.row.cursor').innerText()).includes('went wrong'),
    );

    // Dragging up to the middle between the two bursts leaves only the first.
    const between = (Date.now() - 1_000 - (time + 5_000)) / 60_000;
    await page.mouse.move(box.x + 2, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * (1 - between), box.y + 20, { steps: 4 });
    await page.mouse.up();
    await eventually('only the first ten and the error', async () => (await messages(page)).length === 11);
    expect(page.url()).toMatch(/range=\d+\.\.\d+/);
    await sees(page, 'hidden by filter');
  });
});
