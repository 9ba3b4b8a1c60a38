// An answer that is made to hold the page: it is read as Markdown a piece in each frame, and all of it is shown.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { scriptedModel } from '../../../gateway/test/agents/scripted-model.ts';
import { launchChromium } from '../../../test-support/chromium.ts';
import { ask } from './support/chat.ts';
import { startGateway } from './support/gateway.ts';
import { eventually, openPage } from './support/page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 120_000);
afterAll(() => browser.close());

it('a hostile answer of 40 kB is shown whole, and read as Markdown in the end', async () => {
  const text = `# begin\n\n${'a_b*'.repeat(10_000)}\n\n**end**`;
  const model = await scriptedModel(() => ({ text }));
  const gateway = await startGateway({ RATE_LIMIT_PER_SECOND: '0', ...model.env });
  onTestFinished(() => gateway.stop());
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  await ask(page, 'anything');
  await page.locator('#chat .turn.finished .markdown strong', { hasText: 'end' }).waitFor();
  const shown = page.locator('#chat .markdown');
  expect((await shown.textContent())?.match(/a_b/g)).toHaveLength(10_000);
  await eventually('nothing is left as it was', async () => (await shown.locator('.plain').count()) === 0);
});
