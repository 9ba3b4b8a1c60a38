// The chat where several agents answer: a conversation keeps its agent, and the page shows who is there before anything was asked.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { answered, ask, newest } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, openPage } from './support/page.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-agents-'));
let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  const file = join(folder, 'agents.json');
  // Nobody listens on this port, which only root could open.
  const away = 'http://127.0.0.1:1/mcp';
  writeFileSync(
    file,
    JSON.stringify({
      servers: {
        listings: { builtin: 'listings', tools: { findListings: { read_only: true } } },
        weather: { url: away, tools: { forecast: { read_only: true } } },
      },
      agents: [
        { name: 'homes', system: 'Help.', tools: ['listings__*'] },
        { name: 'ops', system: 'Help.', tools: ['weather__*'] },
      ],
    }),
  );
  browser = await launchChromium();
  gateway = await startGateway({ RATE_LIMIT_PER_SECOND: '0', AGENTS_FILE: file });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  rmSync(folder, { recursive: true });
});

it('a conversation keeps its agent through a reload, and each answer says who gave it', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  const agent = page.getByLabel('Agent', { exact: true });
  await agent.selectOption('ops');
  await ask(page, 'What are tides?');
  await answered(page);
  await page.reload();
  await eventually('the agent is chosen', async () => (await agent.inputValue()) === 'ops');
  await ask(page, 'What are waves?');
  await answered(page, 2);
  expect(await newest(page).locator('.foot').innerText()).toContain('ops · ');
  await page.getByRole('button', { name: 'new', exact: true }).click();
  expect(await agent.inputValue()).toBe('homes');
});

it('shows which servers are there, and asks an example of its agent at a click', async () => {
  const page = await openPage(browser, `${gateway.url}/?panel=chat`);
  const homes = page.getByRole('region', { name: 'homes', exact: true });
  await homes.locator('summary', { hasText: 'is there: listings' }).waitFor();
  expect(await homes.getByRole('listitem').count()).toBe(0);
  await homes.locator('summary').click();
  expect(await homes.getByRole('listitem').allInnerTexts()).toContain('listings: find listings');
  expect(await page.locator('.welcome').innerText()).toMatch(/ops.*, without tools\n[\s\S]*weather is away/);
  await homes.getByRole('button', { name: 'Show me 3-bedroom homes' }).click();
  await answered(page);
  expect(await newest(page).locator('.foot').innerText()).toContain('homes · ');
});

it('a conversation that is not there yet is no error in the console', async () => {
  const failed: string[] = [];
  const page = await openPage(browser, `${gateway.url}/?panel=chat&c=phone1`, {
    before: async (opening) => {
      opening.on('response', (response) => response.status() >= 400 && failed.push(response.url()));
    },
  });
  await page.getByText('Nothing of this conversation is kept.').waitFor();
  await ask(page, 'What are tides?');
  await answered(page);
  expect(failed).toEqual([]);
});

it('events that anybody wrote begin no answer and grow no stream', async () => {
  const streams: string[] = [];
  const page = await openPage(browser, `${gateway.url}/?panel=chat&c=phone2`, {
    before: async (opening) => {
      opening.on('request', (request) => request.url().includes('/stream?') && streams.push(request.url()));
    },
  });
  await ask(page, 'What are tides?');
  await answered(page);
  const forged = Array.from({ length: 300 }, (_, i) => ({
    channel: 'events:runs',
    source: 'forger',
    event: 'run.started',
    msg: 'run started',
    run: `forged${i}`,
    attrs: { 'gen_ai.conversation.id': 'phone2', 'gen_ai.agent.name': 'ops' },
  }));
  const looked = page.waitForResponse((response) => response.url().includes('/api/runs?'));
  await gateway.publish(...forged);
  await looked;
  // What is asked now would wait for a forged run.
  await ask(page, 'What are waves?');
  await answered(page, 2);
  expect(await page.locator('#chat .turn').count()).toBe(2);
  expect(streams.filter((url) => url.includes('forged'))).toEqual([]);
});
