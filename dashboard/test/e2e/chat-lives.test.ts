// The chat while things go wrong: a reload in the middle of a call, a network that goes and comes back, a tool that returns what is hostile.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeAll, mcpServer } from '../../../gateway/test/tools/mcp-servers.ts';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { cableTo } from './support/cable.ts';
import { answered, ask, calls, newest } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, openPage } from './support/page.ts';

const HOSTILE = `</pre><img src="https://track.example/a.png" onerror="window.hacked=1"><script>window.hacked=1</script>
[click](javascript:window.hacked=1) ![cat](https://track.example/cat.png) \u001b[31m\u202e | a | b |`;

const folder = mkdtempSync(join(tmpdir(), 'chat-'));
let browser: Browser;
let models: SimulatorProcess;
let gateway: Gateway;
/** Lets the call return that waits. */
let release: () => void = () => undefined;
beforeAll(async () => {
  const server = await mcpServer((tools) => {
    tools.registerTool('rainForecast', { description: 'Tells the weather: rain or sun.' }, async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return { content: [{ type: 'text', text: 'Rain tomorrow.' }] };
    });
    tools.registerTool('pageReader', { description: 'Reads a page of a stranger.' }, () => ({
      content: [{ type: 'text', text: HOSTILE }],
    }));
  });
  const agents = join(folder, 'agents.json');
  const readOnly = { read_only: true, timeout_ms: 60_000 };
  writeFileSync(
    agents,
    JSON.stringify({
      servers: { world: { url: server.url, tools: { rainForecast: readOnly, pageReader: readOnly } } },
      agents: [{ name: 'helper', system: 'Help.', tools: ['world__*'] }],
    }),
  );
  [browser, models] = await Promise.all([launchChromium(), startSimulator('--delay', '30')]);
  gateway = await startGateway({ RATE_LIMIT_PER_SECOND: '0', AGENTS_FILE: agents, ...servedBy(models) });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await models.process.stop();
  await closeAll();
  rmSync(folder, { recursive: true });
});

const open = (): Promise<Page> => openPage(browser, `${gateway.url}/?panel=chat`);
const isCalled = (page: Page) =>
  eventually('the tool is called', async () => /▸ world: rain forecast/.test((await calls(page)).join()));

describe('an answer', () => {
  it('is there again after a reload in the middle of a call, and comes to its end', async () => {
    const page = await open();
    await ask(page, 'Tell me the weather: will there be rain?');
    await isCalled(page);
    expect(await newest(page).locator('.doing').innerText()).toContain('calls world: rain forecast');
    await page.reload();
    await isCalled(page);
    expect(await newest(page).locator('.question').innerText()).toContain('Tell me the weather');
    release();
    expect(await answered(page)).toContain('Rain tomorrow.');
    expect((await calls(page)).join()).toContain('✓ world: rain forecast');
  });

  it('grows on where it was after the network was away, with nothing missing and nothing twice', async () => {
    const cable = await cableTo(gateway.url);
    const page = await openPage(browser, `${cable.url}/?panel=chat`);
    await ask(page, 'Tell me the weather: will there be rain?');
    await isCalled(page);
    await page.context().setOffline(true);
    cable.pull();
    await page.locator('#chat header', { hasText: 'reconnecting' }).waitFor();
    release();
    await ask(page, 'And the weather after the rain?');
    await page.getByLabel('Asked next').locator('.text', { hasText: 'after the rain' }).waitFor();
    await page.context().setOffline(false);
    await eventually(
      'the first one is answered',
      async () => (await page.locator('.turn.finished').count()) === 1,
    );
    const first = await page.locator('.turn').first().locator('.markdown').last().innerText();
    await eventually('the next one was asked', async () => (await page.locator('.turn').count()) === 2);
    await isCalled(page);
    release();
    await answered(page, 2);
    const other = await openPage(browser, page.url());
    await answered(other, 2);
    expect(await other.locator('.turn').first().locator('.markdown').last().innerText()).toBe(first);
  });

  it('shows what is hostile as text: nothing runs, and nothing is loaded', async () => {
    const page = await open();
    const foreign: string[] = [];
    page.on('request', (request) => !request.url().startsWith(gateway.url) && foreign.push(request.url()));
    await ask(page, 'Read the page of the stranger');
    await answered(page);
    await newest(page).locator('.calls summary').click();
    expect(await newest(page).locator('.inside').innerText()).toContain('<script>window.hacked=1</script>');
    expect(await newest(page).locator('img, script, a[href^="javascript"]').count()).toBe(0);
    expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
    expect(foreign).toEqual([]);
  });
});
