// What runs now: a line for each live generation, by what its entries say, and from each a way to its lines.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';
import { ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
let gateway: Gateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

/** Entries of the generation `run`, each an event and what else it says. */
function generation(channel: string, run: string, ...entries: [string, Record<string, unknown>?][]) {
  const source = `gpu-${run}`;
  return entries.map(([event, fields = {}]) => ({
    channel,
    source,
    run,
    msg: event,
    attrs: {},
    ...fields,
    event: `generation.${event}`,
  }));
}

const MODEL = { attrs: { 'gen_ai.request.model': 'org/qwen' } };
const piece = (msg: string, tokens = 1) => ({ msg, attrs: { tokens } });

/** One that speaks, one that has failed, one that has only begun. */
function threeOn(channel: string): Promise<string[]> {
  return gateway.publish(
    ...generation(
      channel,
      'a',
      ['started', MODEL],
      ['delta', piece('Once upon', 2)],
      ['delta', piece(' a time')],
    ),
    ...generation(
      channel,
      'b',
      ['started', MODEL],
      [
        'failed',
        {
          level: 'error',
          msg: 'CUDA out of memory',
          attrs: { 'error.type': 'oom' },
        },
      ],
    ),
    ...generation(channel, 'c', ['started', MODEL]),
  );
}

const line = (page: Page, source: string) => page.locator('#running .row', { hasText: source });
const cell = (page: Page, source: string, column: string) =>
  line(page, source).locator(`[data-column="${column}"]`);
const sources = async (page: Page) =>
  (await page.locator('#running .row:not(.free) [role="rowheader"]').allInnerTexts()).map((text) => text);
const open = async (channel: string, search = '', width = 1440) => {
  await threeOn(channel);
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}&running=1${search}`, { width });
  await line(page, 'gpu-c').waitFor();
  return page;
};

describe('what runs now', () => {
  it('is loaded when it is opened, by key or button, and has counted what came before', async () => {
    await threeOn('running:later');
    const page = await openPage(browser, `${gateway.url}/?channels=running:later`, { width: 1440 });
    await lastRow(page, 'started');
    const isLoaded = () =>
      page.evaluate(() =>
        performance.getEntriesByType('resource').some(({ name }) => /running-[^/]*\.js$/.test(name)),
      );
    expect(await isLoaded()).toBe(false);
    await page.keyboard.press('R');
    await line(page, 'gpu-a').waitFor();
    expect(await isLoaded()).toBe(true);
    expect(page.url()).toContain('running=1');
    const button = page.getByRole('button', { name: 'running now', exact: true });
    await button.click();
    await eventually('the log is there again', async () => (await messages(page)).includes('▸ started'));
    expect(page.url()).not.toContain('running=');
    await button.click();
    await line(page, 'gpu-a').waitFor();
  });

  it('is a line for each, with what it says of itself', async () => {
    const page = await open('running:said');
    expect(await sources(page)).toEqual(['● gpu-a', '✕ gpu-b', '● gpu-c']);
    await sees(page, '2 running · 1 failed in the last minute');
    const texts = (source: string) =>
      Promise.all(['model', 'tokens', 'words'].map((column) => cell(page, source, column).innerText()));
    expect(await texts('gpu-a')).toEqual(['qwen', '3', 'Once upon a time']);
    expect(await texts('gpu-b')).toEqual(['qwen', '–', 'failed: oom · CUDA out of memory']);
    expect(await texts('gpu-c')).toEqual(['qwen', '–', 'no token yet']);
  });

  it('grows, and finishes in its place', async () => {
    const page = await open('running:grows');
    await gateway.publish(...generation('running:grows', 'a', ['delta', piece(' there was', 2)]));
    await cell(page, 'gpu-a', 'words').getByText('Once upon a time there was').waitFor();
    expect(await cell(page, 'gpu-a', 'tokens').innerText()).toBe('5');
    const attrs = {
      'gen_ai.usage.output_tokens': 6,
      'gen_ai.response.time_to_first_chunk': 0.25,
      duration_s: 2.25,
    };
    await gateway.publish(...generation('running:grows', 'a', ['finished', { attrs }]));
    await cell(page, 'gpu-a', 'source').getByText('✓ gpu-a').waitFor();
    expect((await sources(page))[0]).toBe('✓ gpu-a');
    const texts = ['time', 'first', 'tokens', 'rate'].map((column) =>
      cell(page, 'gpu-a', column).innerText(),
    );
    expect(await Promise.all(texts)).toEqual(['2 s', '0.3', '6', '3']);
    await sees(page, '1 running');
  });

  it('shows twenty at once, and counts the others', async () => {
    const channel = 'running:many';
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&running=1`, { height: 640 });
    await sees(page, 'Each generation that starts gets a line here');
    const runs = Array.from({ length: 23 }, (_, i) => `m${i}`);
    await gateway.publish(...runs.flatMap((run) => generation(channel, run, ['started'])));
    await sees(page, 'and 3 more');
    expect(await sources(page)).toHaveLength(20);
    const bottom = await line(page, 'gpu-m19').evaluate((row) => row.getBoundingClientRect().bottom);
    expect(bottom).toBeLessThan(640);
  });

  it('marks what gives no sign, and says for how long; what has failed is there for a minute', async () => {
    const scripted = await ScriptedGateway.ofTest();
    const page = await openPage(browser, `${scripted.url}/?running=1`, {
      width: 1440,
      before: (fresh) => fresh.clock.install(),
    });
    await sees(page, 'LIVE');
    const say = (source: string, event: string, msg: string) =>
      scripted.write(scripted.entry(msg, { source, event: `generation.${event}`, run: source }).text);
    say('gpu-1', 'started', 'started');
    say('gpu-2', 'failed', 'gone');
    await line(page, 'gpu-2').waitFor();
    await page.clock.runFor(20_000);
    await cell(page, 'gpu-1', 'words')
      .getByText(/^no sign for \d\d s, no token yet$/)
      .waitFor();
    expect(await cell(page, 'gpu-1', 'source').innerText()).toBe('○ gpu-1');
    await sees(page, '1 running · 1 without a sign');
    await page.clock.runFor(60_000);
    await line(page, 'gpu-2').waitFor({ state: 'detached' });
  });

  it('names a call of a tool that hangs above the generations, which leads to its run', async () => {
    const scripted = await ScriptedGateway.ofTest();
    const page = await openPage(browser, `${scripted.url}/?running=1`, { width: 1440 });
    await sees(page, 'LIVE');
    const attrs = { 'gen_ai.tool.name': 'crm.lookup', 'gen_ai.tool.call.id': 'c1' };
    const id = `${Date.now() - 60_000}-1`;
    const call = { id, source: 'agents', run: 'digest', event: 'tool.called', attrs };
    scripted.write(`id: ${id}\ndata: ${JSON.stringify(scripted.entry('crm.lookup()', call).data)}\n\n`);
    const hanging = page.getByRole('button', { name: /crm\.lookup of digest has not answered for 1m/ });
    await hanging.focus();
    await page.keyboard.press('Enter');
    await eventually('its run', () => new URL(page.url()).searchParams.get('t') === 'digest');
    await page.goBack();
    scripted.write(scripted.entry('done', { ...call, id: `${Date.now()}-2`, event: 'tool.returned' }).text);
    await hanging.waitFor({ state: 'detached' });
  });

  it('says that it is not live, and takes nobody for stalled meanwhile', async () => {
    const scripted = await ScriptedGateway.ofTest();
    const page = await openPage(browser, `${scripted.url}/?running=1`, {
      width: 1440,
      before: (fresh) => fresh.clock.install(),
    });
    await sees(page, 'LIVE');
    const fields = { source: 'gpu-1', event: 'generation.started', run: 'r' };
    scripted.write(scripted.entry('started', fields).text);
    await line(page, 'gpu-1').waitFor();
    scripted.answer = (response) => response.destroy();
    scripted.cut();
    await sees(page, 'not live: this is how it was at');
    await page.clock.runFor(60_000);
    expect(await cell(page, 'gpu-1', 'source').innerText()).toBe('● gpu-1');
  });

  it('shows hostile names and words as text', async () => {
    const channel = 'running:hostile';
    const text = '<img src=x onerror="alert(1)">\u202e\u001b[31m';
    const attrs = { lane: text, 'gen_ai.request.model': text, 'error.type': text };
    const fields = { channel, source: text, run: text, msg: text, attrs };
    await gateway.publish(
      { ...fields, event: 'generation.started' },
      { ...fields, event: 'generation.delta' },
      { ...fields, source: 'other', event: 'generation.failed' },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&running=1`, { width: 1440 });
    await line(page, '✕ other').waitFor();
    expect(await page.locator('#running img').count()).toBe(0);
    expect(await page.locator('#running').innerText()).not.toMatch(/\p{Bidi_Control}|\p{Cc}(?<!\s)/u);
  });
});

describe('a line leads to the log', () => {
  it('to the lines of the generation', async () => {
    const page = await open('running:lines');
    await cell(page, 'gpu-a', 'words').click();
    await eventually('its row', async () => (await messages(page)).length === 1);
    expect((await messages(page))[0]).toMatch(/^▸ +≈3t .*Once upon a time$/);
    await page.goBack();
    await line(page, 'gpu-a').waitFor();
  });

  it('to the entry that says why it failed', async () => {
    const page = await open('running:failed');
    await cell(page, 'gpu-b', 'words').click();
    await page.locator('#detail', { hasText: 'CUDA out of memory' }).waitFor();
  });

  it('to the lines of one task of a run, where several run at the same time', async () => {
    const channel = 'running:lanes';
    await gateway.publish(
      ...['plan', 'check'].flatMap((lane) =>
        generation(channel, 'r', ['started', { msg: `begin ${lane}`, attrs: { lane } }]),
      ),
    );
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&running=1`, { width: 1440 });
    await line(page, 'gpu-r check').click();
    await eventually('its row', async () => (await messages(page)).join() === '▸ check begin check');
  });
});

describe('by keyboard', () => {
  it('lines are moved over, opened, and left', async () => {
    const page = await open('running:keys');
    const press = async (key: string, source: string) => {
      await page.keyboard.press(key);
      await eventually(`${key} leads to ${source}`, () =>
        line(page, source).evaluate((element) => element === document.activeElement),
      );
    };
    await press('Home', 'gpu-a');
    await press('ArrowDown', 'gpu-b');
    await press('j', 'gpu-c');
    await press('k', 'gpu-b');
    await press('End', 'gpu-c');
    await page.keyboard.press('Enter');
    await eventually('its lines', async () => (await messages(page)).join() === '▸ started');
    await page.goBack();
    await line(page, 'gpu-c').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#running').waitFor({ state: 'hidden' });
  });

  it('the first line has the focus as soon as there is one', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=running:focus&running=1`, { width: 1440 });
    await page.locator('#running [role="grid"]').waitFor();
    await gateway.publish(...generation('running:focus', 'a', ['started']));
    await eventually('the line has the focus', () =>
      line(page, 'gpu-a').evaluate((element) => element === document.activeElement),
    );
  });

  it('R and f go from one to the other, and so does the fleet’s number of those that run', async () => {
    const page = await open('running:both');
    await page.keyboard.press('f');
    await page.locator('#fleet .row', { hasText: 'gpu-a' }).waitFor();
    expect(await page.locator('#running').isVisible()).toBe(false);
    await page.keyboard.press('R');
    await line(page, 'gpu-a').waitFor();
    expect(await page.locator('#fleet').isVisible()).toBe(false);
    await page.keyboard.press('f');
    await page.locator('#fleet').getByRole('button', { name: '2 running' }).click();
    await line(page, 'gpu-a').waitFor();
    expect(page.url()).not.toContain('fleet=');
  });
});

it.each([
  ['dark', 1440],
  ['light', 1000],
  ['dark', 360],
])('axe finds nothing serious: %s, %i px', async (theme, width) => {
  const page = await open('running:axe', `&theme=${theme}`, width);
  expect(await serious(page)).toEqual([]);
  const sideways = await page.locator('#running').evaluate((list) => list.scrollWidth - list.clientWidth);
  expect(sideways).toBe(0);
});
