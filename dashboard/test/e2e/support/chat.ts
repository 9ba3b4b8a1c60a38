// The chat as a person uses it: asks in it, and reads its newest answer.
import type { Locator, Page } from 'playwright-core';
import { eventually } from './page.ts';

export const composer = (page: Page): Locator => page.getByLabel('Question', { exact: true });
export const turns = (page: Page): Locator => page.locator('#chat .turn');
export const newest = (page: Page): Locator => turns(page).last();
export const calls = (page: Page): Promise<string[]> =>
  newest(page).locator('.calls summary').allInnerTexts();

export async function ask(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

/** Waits until `count` questions were answered, and gives what the newest answer says. */
export async function answered(page: Page, count = 1): Promise<string> {
  await eventually(
    `${count} are answered`,
    async () => (await page.locator('#chat .turn.finished').count()) === count,
  );
  return newest(page).locator('.markdown').last().innerText();
}
