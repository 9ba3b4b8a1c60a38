// The page as a person reads it: the texts of rows and bars. A page is closed at the end of its test, and an uncaught
// error in the page fails the test.
import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';

/** Long enough for a busy machine; usually a few frames suffice. */
const PATIENCE_MS = 30_000;

export interface Opening {
  width?: number;
  height?: number;
  /** Script that runs before the page's own. */
  init?: string;
  /** Called before the page is requested, for example to add routes. */
  before?(page: Page): Promise<unknown>;
}

/** Opens a page in a context of its own, which is closed at the end of the test, before anything opened earlier. */
export async function openPage(
  browser: Browser,
  url: string,
  { width = 1280, height = 640, init, before }: Opening = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height }, acceptDownloads: true });
  const errors: string[] = [];
  // Errors of all tabs of the context.
  context.on('weberror', (error) => errors.push(String(error.error())));
  onTestFinished(async () => {
    await context.close();
    expect(errors, 'errors of the page itself').toEqual([]);
  });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
  const page = await context.newPage();
  if (init !== undefined) await page.addInitScript(init);
  await before?.(page);
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

/** Waits until the frame after the next was painted. */
export function twoFrames(page: Page): Promise<void> {
  return page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
}

export { eventually };
