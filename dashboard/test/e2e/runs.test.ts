// The run panel: a run that is started from the page is shown from its first token to its end, also after a reload.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually } from '../../../test-support/process.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { messages, type Opening, openPage } from './support/page.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SETTINGS = { RATE_LIMIT_PER_SECOND: '0' };

const folder = mkdtempSync(join(tmpdir(), 'run-panel-'));
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  for (const starting of gateways.values()) await (await starting).stop();
  for (const starting of simulators.values()) await (await starting).process.stop();
  rmSync(folder, { recursive: true });
});

/** One gateway for all tests with the same settings; each test works with runs of its own. */
const gateways = new Map<string, Promise<Gateway>>();
/** One service of simulated models for each pace, by milliseconds per token. */
const simulators = new Map<number, Promise<SimulatorProcess>>();

function modelsAt(tokenMs: number): Promise<SimulatorProcess> {
  const starting = simulators.get(tokenMs) ?? startSimulator('--delay', `${tokenMs}`);
  simulators.set(tokenMs, starting);
  return starting;
}

async function open(
  env: Record<string, string> = {},
  { search = '', tokenMs = 12, ...size }: Opening & { search?: string; tokenMs?: number } = {},
): Promise<{ page: Page; gateway: Gateway }> {
  const key = JSON.stringify([env, tokenMs]);
  const start = async () => startGateway({ ...SETTINGS, ...servedBy(await modelsAt(tokenMs)), ...env });
  const starting = gateways.get(key) ?? start();
  gateways.set(key, starting);
  const gateway = await starting;
  const page = await openPage(browser, `${gateway.url}/?panel=run${search}`, size);
  return { page, gateway };
}

const send = async (page: Page, text: string) => {
  await page.getByLabel('Prompt').fill(text);
  await page.getByLabel('Prompt').press('Control+Enter');
};
const lane = (page: Page, name: string) => page.getByLabel(name, { exact: true });
const said = (page: Page, name: string) => lane(page, name).locator('.said').innerText();
const state = (page: Page, name: string) => lane(page, name).locator('.state').innerText();
const ended = (page: Page) => page.locator('.summary .lane.finished').waitFor();

/** A prompts file whose tasks are served by these models of the simulator. */
function promptsFile(...models: string[]): string {
  const path = join(folder, `${models.join('_')}.json`);
  const tasks = models.map((model, i) => ({ name: `llm-${i + 1}`, model, system: 'Be careful.' }));
  writeFileSync(path, JSON.stringify({ tasks, combiner: { name: 'llm-combine', system: 'Combine.' } }));
  return path;
}

describe('a run from the page', () => {
  it('fills a lane for each task, then the summary, and survives a reload in the middle', async () => {
    const { page } = await open();
    await send(page, 'Explain tides');
    await eventually('a lane has text', async () => (await said(page, 'llm-1')).includes('Picture tides'));
    await page.reload();
    await eventually('the lane is back', async () => (await said(page, 'llm-1')).includes('Picture tides'));
    await ended(page);
    expect(await said(page, 'llm-2')).toContain('In short, tides');
    expect(await said(page, 'llm-combine')).toContain('llm-1 puts it like this: Picture tides');
    for (const name of ['llm-1', 'llm-2', 'llm-combine']) {
      expect(await state(page, name)).toBe('finished');
      const figures = await lane(page, name).locator('.figures dd').allInnerTexts();
      expect(figures.map((figure) => /^[\d.]+(?:ms|s)?$/.test(figure))).toEqual([true, true, true, true]);
    }
    expect(await page.locator('.heading [role=status]').innerText()).toBe('finished · 3 of 3 done');
  });

  it('shows that a lane is thinking until its first text', async () => {
    const { page } = await open({}, { tokenMs: 60 });
    await send(page, 'Explain tides');
    await lane(page, 'llm-1').locator('.thinking').waitFor();
    expect(await lane(page, 'llm-1').locator('.thinking').innerText()).toContain('thinking');
    await lane(page, 'llm-1').locator('.reasoning').waitFor();
  });

  it('stops at the Stop button, and keeps the text so far', async () => {
    const { page, gateway } = await open({}, { tokenMs: 40 });
    await send(page, 'Explain tides');
    await eventually('a lane has text', async () => (await said(page, 'llm-1')).includes('Picture tides'));
    await page.getByRole('button', { name: 'Stop' }).press('Enter');
    await eventually('it is stopped', async () => (await state(page, 'llm-1')) === 'stopped');
    await eventually('the focus is where the button was', () =>
      page.evaluate(() => document.activeElement?.textContent === 'in log'),
    );
    expect(await said(page, 'llm-1')).toContain('Picture tides');
    expect(await page.locator('.heading [role=status]').innerText()).toBe('The run was cancelled.');
    const { runs } = (await (await fetch(`${gateway.url}/api/runs`)).json()) as { runs: { state: string }[] };
    expect(runs.map((run) => run.state)).toEqual(['cancelled']);
  });

  it('stops with the keys that started it, and these start no other run', async () => {
    const { page, gateway } = await open({}, { tokenMs: 41 });
    await send(page, 'Explain tides');
    await eventually('a lane has text', async () => (await said(page, 'llm-1')).includes('Picture tides'));
    await page.getByLabel('Prompt').press('Control+Enter');
    await eventually('it is stopped', async () => (await state(page, 'llm-1')) === 'stopped');
    const { runs } = (await (await fetch(`${gateway.url}/api/runs`)).json()) as { runs: { state: string }[] };
    expect(runs.map((run) => run.state)).toEqual(['cancelled']);
    await page.getByLabel('Prompt').press('Control+Enter');
    await eventually('another has begun', async () => (await state(page, 'llm-1')) !== 'stopped');
    await page.getByLabel('Prompt').press('Escape');
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog', { name: 'Keys' }).innerText()).toContain('Ctrl+Enter');
  });

  it('has its prompt filled in by a link, and only the reader sends it', async () => {
    const sent: string[] = [];
    const { page } = await open(
      {},
      {
        tokenMs: 1,
        search: '#prompt=Explain+%3Cb%3Etides%3C/b%3E',
        before: async (opening) =>
          opening.on('request', (request) => request.url().includes('/api/process') && sent.push('run')),
      },
    );
    const filled = () => page.getByLabel('Prompt').inputValue();
    await eventually('the prompt is there', async () => (await filled()) === 'Explain <b>tides</b>');
    expect(page.url()).not.toContain('tides');
    await page.reload();
    await eventually('a reload keeps it', async () => (await filled()) === 'Explain <b>tides</b>');
    expect(sent).toEqual([]);
    await page.getByLabel('Prompt').press('Control+Enter');
    await ended(page);
    expect(sent).toEqual(['run']);
  });

  it('shows that an answer was cut off, and thoughts inside the answer as reasoning', async () => {
    const env = { PROMPTS_FILE: promptsFile('sim-length', 'sim-think', 'sim-think-end') };
    const { page } = await open(env, { tokenMs: 1 });
    await send(page, 'Explain tides');
    await ended(page);
    expect(await state(page, 'llm-1')).toBe('finished · cut off');
    expect(await said(page, 'llm-1')).toContain('The model reached its limit of tokens');
    for (const name of ['llm-2', 'llm-3']) {
      expect(await state(page, name)).toBe('finished');
      expect(await said(page, name)).toMatch(/^reasoning\s+In short, tides/);
      await lane(page, name).getByText('reasoning', { exact: true }).click();
      expect(await lane(page, name).locator('.reasoning').innerText()).toContain(
        'The question is about tides',
      );
    }
  });

  it('shows why a lane failed next to its text so far, and continues', async () => {
    const { page } = await open({ PROMPTS_FILE: promptsFile('sim-1', 'sim-die', 'sim-401') });
    await send(page, 'Explain tides');
    await ended(page);
    expect(await state(page, 'llm-2')).toBe('failed');
    expect(await said(page, 'llm-2')).toMatch(/In short, tides[\s\S]*The connection to the model broke off/);
    expect(await said(page, 'llm-3')).toContain(
      'The model service refused the credentials. llm_unauthorized',
    );
    expect(await said(page, 'llm-combine')).toContain('llm-2 and llm-3 gave no answer');
  });

  it('filters the log to a recent run that is clicked', async () => {
    const { page, gateway } = await open();
    await gateway.publish({ channel: 'logs', msg: 'something else' });
    await send(page, 'Explain tides');
    await ended(page);
    await eventually('the log shows all', async () =>
      (await messages(page)).join().includes('something else'),
    );
    await page.getByLabel('Recent runs').getByRole('button').first().click();
    await eventually('the log shows the run alone', async () => {
      const shown = (await messages(page)).join();
      return shown.includes('run finished') && shown.includes('✓ llm-1') && !shown.includes('something else');
    });
    expect(page.url()).toMatch(/channels=runs:page-[0-9a-f]+/);
    await page.getByRole('button', { name: 'in log' }).click();
    await eventually('the log shows all again', async () =>
      (await messages(page)).join().includes('something else'),
    );
  });

  it('marks its rows in the log while the reader points at a lane', async () => {
    const { page, gateway } = await open({}, { tokenMs: 1 });
    await gateway.publish({ channel: 'logs', msg: 'something else', run: 'another' });
    await send(page, 'Explain tides');
    await ended(page);
    const marked = page.locator('#log .row.linked');
    expect(await marked.count()).toBe(0);
    await lane(page, 'llm-1').hover();
    await marked.first().waitFor();
    expect((await marked.allInnerTexts()).join()).not.toContain('something else');
    await page.locator('#log').hover();
    await eventually('no marks', async () => (await marked.count()) === 0);
  });

  it('continues a conversation', async () => {
    const { page } = await open({}, { tokenMs: 1 });
    await page.getByLabel('conversation').check();
    await send(page, 'What is rust?');
    await ended(page);
    await send(page, 'What is copper?');
    await eventually('the turn before is known', async () =>
      (await said(page, 'llm-1')).includes('Coming from rust'),
    );
  });

  it('shows HTML in prompts and answers as text', async () => {
    const { page } = await open({}, { tokenMs: 1 });
    await send(page, 'Explain <img src=x onerror="document.title=1"> & <b>tides</b>');
    await ended(page);
    expect(await said(page, 'llm-1')).toContain('<img src=x');
    expect(await page.locator('.run img, .said b').count()).toBe(0);
    expect(await page.title()).not.toBe('1');
  });

  it('says why it cannot start', async () => {
    const { page } = await open({ RATE_LIMIT_PER_SECOND: '0.01', RATE_LIMIT_BURST: '1' }, { tokenMs: 1 });
    await send(page, 'Explain tides');
    await ended(page);
    await send(page, 'Explain rain');
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').innerText()).toContain('too many runs; try again in');
    expect(await said(page, 'llm-1')).toContain('Picture tides');
  });

  it.each([
    ['dark', 1280],
    ['light', 1280],
    ['light', 390],
  ])('has nothing that axe finds serious: %s, %i wide', async (theme, width) => {
    const env = { PROMPTS_FILE: promptsFile('sim-1', 'sim-die') };
    const { page } = await open(env, { tokenMs: 1, search: `&theme=${theme}`, width });
    await send(page, 'Explain tides');
    await ended(page);
    await page.evaluate(await readFile(AXE, 'utf8'));
    const serious = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map(({ html }) => html)
              .join(' ')
              .slice(0, 400)}`,
        );
    });
    expect(serious).toEqual([]);
  });

  it('is shown by a link in another browser, and a link to an unknown run says so', async () => {
    const { page, gateway } = await open({}, { tokenMs: 1 });
    await send(page, 'Explain tides');
    await ended(page);
    const other = await openPage(browser, page.url());
    await ended(other);
    expect(await said(other, 'llm-1')).toContain('Picture tides');
    await other.goto(`${gateway.url}/?panel=run&show=nobody-knows`);
    await eventually('it says so', async () =>
      (await other.locator('.heading').innerText()).includes('no entries'),
    );
  });
});
