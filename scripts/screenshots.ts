// Takes the pictures of the README from the running product: a gateway, three simulated producers and Chromium. Build the page first.
// `node scripts/screenshots.ts [folder]` writes them into the folder, by default docs/.
import { mkdir } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { launchChromium } from '../test-support/chromium.ts';
import { eventually, startProcess } from '../test-support/process.ts';

interface Picture {
  name: string;
  query: string;
  width: number;
  height: number;
  theme: 'dark' | 'light';
  /** Brings the page into the state that the picture shows. */
  prepare?: (page: Page) => Promise<void>;
}

const PICTURES: readonly Picture[] = [
  { name: 'live', query: '?charts=1&time=utc', width: 1200, height: 640, theme: 'dark' },
  {
    name: 'detail',
    query: '?time=utc',
    width: 1200,
    height: 640,
    theme: 'light',
    prepare: async (page) => {
      await page.locator('#log .row.l3, #log .row.l4, #log .row.orch').last().click();
      await page.locator('#detail .actions').waitFor();
    },
  },
  { name: 'phone', query: '', width: 360, height: 640, theme: 'dark' },
];

/** How long the product runs before the first picture, so that the charts have something to draw. */
const WARM_UP_S = 45;

const folder = process.argv[2] ?? 'docs';
await mkdir(folder, { recursive: true });
const gateway = startProcess(['gateway/src/main.ts'], { env: { PORT: '0', SSE_KEEPALIVE_MS: '1000' } });
const url = await gateway.saw(/http:\/\/[\d.:]+/);
const producers = [1, 2, 3].map((seed) =>
  startProcess(['producer/src/main.ts', 'simulate', '--seed', `${seed}`, '--source', `gpu-0${seed}`], {
    env: { GATEWAY_URL: url },
  }),
);
const browser = await launchChromium();
try {
  const pages = [];
  for (const picture of PICTURES) {
    const { query, width, height, theme } = picture;
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme });
    await page.goto(`${url}/${query}`);
    pages.push({ page, picture });
  }
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_S * 1_000));
  for (const { page, picture } of pages) {
    await page.bringToFront();
    await eventually('the ledger is checked', async () =>
      (await page.locator('.ledger').innerText()).includes('✓'),
    );
    await picture.prepare?.(page);
    // Move the pointer away, so that it hovers over nothing.
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `${folder}/${picture.name}.png` });
    console.log(`${folder}/${picture.name}.png`);
  }
} finally {
  await browser.close();
  await Promise.all(producers.map((producer) => producer.stop()));
  await gateway.stop();
}
