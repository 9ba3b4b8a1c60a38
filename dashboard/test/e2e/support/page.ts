// The page as a person reads it: what rows say, what the bars say. Fails a test on any error of the page itself.
import type { Browser, Page } from 'playwright-core';
import { eventually } from '../../../../test-support/process.ts';

/** Long enough for a busy machine; a page that works takes a few frames. */
const PATIENCE_MS = 6_000;

export interface Shown {
  page: Page;
  errors: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  { width = 1280, height = 640, init }: { width?: number; height?: number; init?: string } = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height }, acceptDownloads: true });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
  const page = await context.newPage();
  page.on('pageerror', (error) => {
    throw error;
  });
  if (init !== undefined) await page.addInitScript(init);
  await page.goto(url);
  return page;
}

/** Messages of the rows on screen, top to bottom. */
export function messages(page: Page): Promise<string[]> {
  return page.locator('#log .row .msg').allInnerTexts();
}

export function status(page: Page): Promise<string> {
  return page.locator('#status').innerText();
}

export async function sees(page: Page, text: string | RegExp): Promise<void> {
  let all = '';
  const read = async () => {
    all = await page.locator('body').innerText();
    return typeof text === 'string' ? all.includes(text) : text.test(all);
  };
  await eventually(`the page shows ${text}`, read, PATIENCE_MS).catch((error) => {
    throw new Error(`${error.message}; it shows:\n${all.slice(-1_500)}`);
  });
}

/** Waits until the last row says `text`. */
export async function lastRow(page: Page, text: string): Promise<void> {
  const read = async () => (await messages(page)).at(-1)?.includes(text);
  await eventually(`the last row says ${text}`, read, PATIENCE_MS).catch(async (error) => {
    throw new Error(`${error.message}; it shows:\n${(await page.locator('body').innerText()).slice(-1_500)}`);
  });
}

/** Waits until the frame after the next has been drawn. */
export function twoFrames(page: Page): Promise<void> {
  return page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
}

export { eventually };
