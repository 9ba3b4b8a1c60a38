// A run as a picture: a tree of its spans over one axis of time, live and from history, by keyboard, beside another run.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { ROOT } from '../../../test-support/process.ts';
import { serious } from './support/axe.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';

let browser: Browser;
let gateway: Gateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-prices-'));
  const prompts = JSON.parse(await readFile(join(ROOT, 'gateway/prompts.json'), 'utf8'));
  const prices = { currency: 'USD', models: [{ model: 'priced/*', input: 1, output: 50 }] };
  const PROMPTS_FILE = join(folder, 'prompts.json');
  await writeFile(PROMPTS_FILE, JSON.stringify({ ...prompts, prices }));
  [browser, gateway] = await Promise.all([launchChromium(), startGateway({ PROMPTS_FILE })]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await rm(folder, { recursive: true });
});

// Near the time at which the log gets the entries: a time far ahead of that is not believed.
const START = Date.now();

/** The entries of an agent's run: a plan, a lane with a tool that fails, a lane that is slow, and their join. */
function agentRun(channel: string, run: string, length = 1): Record<string, unknown>[] {
  const at = (ms: number, event: string, msg: string, attrs = {}, fields = {}) => ({
    ...{ channel, run, source: 'agent-7', time: START + ms * length, event, msg, attrs },
    ...fields,
  });
  const generation = (lane: string, queued: number, started: number, first: number, end: number) => [
    at(queued, 'request.queued', `${lane} queued`, { lane }),
    at(started, 'generation.started', `${lane} started`, { lane, 'gen_ai.request.model': 'org/qwen' }),
    at(first, 'generation.delta', 'Once', { lane, tokens: 2 }),
    at(end, 'generation.finished', `${lane} finished`, { lane, 'gen_ai.usage.output_tokens': 40 }),
  ];
  const tool = { lane: 'llm-1', 'gen_ai.tool.name': 'sql.query', 'gen_ai.tool.call.id': 'c1' };
  return [
    at(0, 'run.started', 'why did churn rise'),
    ...generation('plan', 0, 100, 300, 1_000),
    at(1_000, 'tool.called', 'sql.query(churn)', tool),
    at(
      1_400,
      'tool.returned',
      'sql.query timed out',
      { ...tool, 'error.type': 'timeout' },
      { level: 'warn' },
    ),
    ...generation('llm-1', 1_400, 1_500, 1_700, 2_500),
    ...generation('llm-2', 1_000, 1_100, 4_200, 5_000),
    at(5_000, 'agent.joined', 'joined 2 of 2 lanes', { 'gen_ai.agent.name': 'boss', lanes: 2 }),
    at(6_000, 'run.finished', 'run finished', { duration_s: 6 * length }),
  ];
}

const tree = (page: Page, run?: string) =>
  page.locator(`#timeline [role="tree"]${run === undefined ? '' : `[aria-label="Run ${run}"]`}`);
const row = (page: Page, name: string) =>
  page.locator('#timeline [role="treeitem"]').filter({ has: page.locator(`bdi:text-is("${name}")`) });
const names = (page: Page) => page.locator('#timeline [role="treeitem"] bdi').allInnerTexts();
const labels = (page: Page) =>
  page
    .locator('#timeline [role="treeitem"]')
    .evaluateAll((rows) =>
      rows.map((each) =>
        ['bdi', '.visually-hidden'].map((part) => each.querySelector(part)?.textContent).join(''),
      ),
    );
const pieces = (page: Page, name: string) =>
  row(page, name)
    .locator('.bar i')
    .evaluateAll((all) => all.map(({ className, style }) => `${className} ${style.left} ${style.width}`));
const selected = (page: Page) => page.locator('#timeline [aria-selected="true"] bdi').first();
const entryLine = (page: Page) => page.locator('#timeline .entry');

async function open(channel: string, run: string, search = '', options = {}): Promise<Page> {
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}&t=${run}${search}`, {
    width: 1440,
    ...options,
  });
  await row(page, run).first().waitFor();
  return page;
}

/** A page with a run that was there before. */
let opened = 0;

async function openAgent(name: string, search = '', options = {}): Promise<Page> {
  // A channel of its own each time: a test that is tried again must not find its run twice.
  const channel = `timeline:${name}-${++opened}`;
  await gateway.publish(...agentRun(channel, name));
  const page = await open(channel, name, search, options);
  await row(page, 'boss joined').waitFor();
  return page;
}

describe('a run as a picture', () => {
  it('is loaded when the key t opens it on a row of the run, goes to that row’s span, and closes', async () => {
    await gateway.publish(...agentRun('timeline:key', 'key-1'));
    const page = await openPage(browser, `${gateway.url}/?channels=timeline:key`, { width: 1440 });
    await lastRow(page, 'run finished');
    const isLoaded = () =>
      page.evaluate(() =>
        performance.getEntriesByType('resource').some(({ name }) => /\/timeline-[^/]*\.js$/.test(name)),
      );
    expect(await isLoaded()).toBe(false);
    await page.locator('#log .row', { hasText: 'sql.query timed out' }).click();
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    await eventually('the tool is selected', async () => (await selected(page).innerText()) === 'sql.query');
    expect(await isLoaded()).toBe(true);
    expect(page.url()).toContain('t=key-1');
    await page.keyboard.press('Escape');
    await eventually('the log is there again', async () =>
      (await messages(page)).some((text) => text.includes('joined')),
    );
    expect(page.url()).not.toContain('t=key-1');
  });

  it('opens from the detail of a row; a row of no run says so', async () => {
    await gateway.publish(...agentRun('timeline:detail', 'detail-1'), {
      channel: 'timeline:detail',
      source: 'x',
      msg: 'alone',
    });
    const page = await openPage(browser, `${gateway.url}/?channels=timeline:detail`, { width: 1440 });
    await lastRow(page, 'alone');
    await page.keyboard.press('k');
    await page.keyboard.press('t');
    await sees(page, 'the row is of no run');
    await page.locator('#log .row', { hasText: 'joined 2' }).click();
    await page.locator('#detail').getByRole('button', { name: 'timeline' }).click();
    await row(page, 'boss joined').waitFor();
  });

  it('tells where the time went: parts, errors, the critical path, the totals', async () => {
    const page = await openAgent('parts');
    expect(await names(page)).toEqual(['parts', 'plan', 'llm-1', 'sql.query', 'llm-2', 'boss joined']);
    expect(await pieces(page, 'llm-2')).toEqual([
      'queue 16.667% 1.667%',
      'first 18.333% 51.667%',
      'stream 70% 13.333%',
      'critical 16.667% 66.667%',
    ]);
    expect(await row(page, 'llm-2').innerText()).toContain('← first 3.10s');
    expect(await row(page, 'sql.query').innerText()).toContain('✕ timeout');
    expect(await page.locator('#timeline .totals').innerText()).toMatch(
      /^run parts · finished · from \d\d:\d\d:\d\d · 6\.00s · 3 lanes · \? \+ 120 tokens · 1 error · critical path 5\.00s · in queue 300ms/,
    );
    expect((await labels(page))[4]).toBe(
      'llm-2, generation, org/qwen, finished, begins after 1.00s, takes 4.00s, 100ms in queue, 3.10s to first token, 800ms streaming, 40 tokens out, on the critical path',
    );
  });

  it('says what it has cost where its model has a price', async () => {
    const [begin, end] = [START, START + 1_000];
    const entry = { channel: 'timeline:cost', run: 'cost-1', source: 'agent-7' };
    const lane = { lane: 'llm-1', 'gen_ai.request.model': 'priced/m' };
    const counted = { 'gen_ai.usage.input_tokens': 1_000, 'gen_ai.usage.output_tokens': 40 };
    await gateway.publish(
      { ...entry, time: begin, event: 'generation.started', msg: 'started', attrs: lane },
      { ...entry, time: end, event: 'generation.finished', msg: 'finished', attrs: { ...lane, ...counted } },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=timeline:cost&t=cost-1`, { width: 1440 });
    await page.locator('#timeline .totals', { hasText: '1,000 + 40 tokens · 0.0030 USD' }).waitFor();
  });

  it('is the same live as from history', async () => {
    const live = await openPage(browser, `${gateway.url}/?channels=timeline:live&t=live-1`, { width: 1440 });
    await sees(live, 'no entries of this run are kept');
    const entries = agentRun('timeline:live', 'live-1');
    await gateway.publish(...entries.slice(0, 9));
    await row(live, 'sql.query').waitFor();
    expect(await labels(live).then((all) => all[0])).toContain('running');
    await gateway.publish(...entries.slice(9));
    await eventually('it has ended', async () => (await labels(live))[0]?.includes('finished'));
    const later = await open('timeline:live', 'live-1');
    await row(later, 'boss joined').waitFor();
    expect(await labels(later)).toEqual(await labels(live));
    for (const name of await names(later))
      expect(await pieces(later, name)).toEqual(await pieces(live, name));
  });

  it('of this gateway is read from its own channel, grows while it runs, and then stands still', async () => {
    const id = `robot_${Date.now()}`;
    const page = await openPage(browser, `${gateway.url}/?t=${id}`, { width: 1440 });
    await sees(page, 'no entries of this run are kept');
    const body = JSON.stringify({ message: 'Build me a robot', message_id: id });
    const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
    await fetch(`${gateway.url}/api/process`, { method: 'POST', headers, body });
    await page.reload();
    await eventually('it streams', async () =>
      (await pieces(page, 'llm-1')).some((piece) => piece.startsWith('stream')),
    );
    expect(await row(page, 'llm-combine').innerText()).toContain('not begun');
    await page.locator('#timeline .totals', { hasText: 'finished' }).waitFor();
    const before = await labels(page);
    expect(before.map((label) => label.split(',')[0])).toEqual([id, 'llm-1', 'llm-2', 'llm-combine']);
    expect(before.slice(1).every((label) => /to first token, .* streaming, \d+ tokens in/.test(label))).toBe(
      true,
    );
    await page.reload();
    await page.locator('#timeline .totals', { hasText: 'finished' }).waitFor();
    expect(await labels(page)).toEqual(before);
  });

  it('says that the log has nothing of it', async () => {
    const page = await openPage(browser, `${gateway.url}/?t=no-such-run`);
    await sees(page, 'no entries of this run are kept');
  });

  it('of a trace of 500 spans begins with its outline, and has only the rows in sight in the document', async () => {
    const spans = Array.from({ length: 500 }, (_, i) => ({
      channel: 'timeline:trace',
      run: 'trace-1',
      source: 's',
      time: START + 10_000 - i,
      event: 'span.finished',
      msg: `span ${i}`,
      attrs: {
        span: `span ${i}`,
        span_id: `id ${i}`,
        ...(i > 0 && { parent_span_id: `id ${i < 400 ? 0 : i - 1}` }),
        start: new Date(START + i).toISOString(),
      },
    }));
    await gateway.publish(...spans.reverse());
    const page = await open('timeline:trace', 'trace-1');
    await row(page, 'span 0').waitFor();
    expect(await page.locator('#timeline [role="treeitem"]').count()).toBeLessThan(80);
    await page.keyboard.press('End');
    await eventually('the last row', async () => (await selected(page).innerText()) === 'span 401');
    expect(await row(page, 'span 401').getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press('ArrowRight');
    await row(page, 'span 402').waitFor();
  });

  it('shows hostile names and lines as text', async () => {
    const text = '<img src=x onerror="alert(1)">\u202e\u001b[31m';
    const attrs = { lane: text, 'gen_ai.tool.name': text, 'error.type': text, lanes: [{ lane: text }] };
    const entry = { channel: 'timeline:hostile', run: 'hostile-1', source: text, msg: text, attrs };
    await gateway.publish(
      ...['run.started', 'generation.started', 'generation.failed', 'tool.called', 'agent.planned'].map(
        (event) => ({
          ...entry,
          event,
        }),
      ),
    );
    const page = await open('timeline:hostile', 'hostile-1');
    await page.keyboard.press('End');
    expect(await page.locator('#timeline img').count()).toBe(0);
    expect(await page.locator('#timeline').innerText()).not.toMatch(/\p{Bidi_Control}|\p{Cc}(?<!\s)/u);
  });
});

describe('by keyboard', () => {
  it('rows and entries are moved over, spans folded, and an entry opened in the log and left again', async () => {
    const page = await openAgent('keys');
    const press = async (key: string, name: string, entry: string) => {
      await page.keyboard.press(key);
      await eventually(
        `${key} leads to ${name}, ${entry}`,
        async () =>
          (await selected(page).innerText()) === name && (await entryLine(page).innerText()).includes(entry),
      );
    };
    await press('Home', 'keys', '+0ms INF agent-7 run.started why did churn rise');
    await press('ArrowDown', 'plan', 'request.queued plan queued');
    await press('ArrowRight', 'plan', '+100ms INF agent-7 generation.started plan started');
    await press('ArrowRight', 'plan', 'generation.delta Once');
    await press('ArrowLeft', 'plan', 'generation.started');
    await press('End', 'boss joined', 'agent.joined joined 2 of 2 lanes');
    await press('k', 'llm-2', 'request.queued llm-2 queued');
    await press('k', 'sql.query', 'tool.called sql.query(churn)');
    await press('ArrowLeft', 'llm-1', 'llm-1 queued');
    await page.keyboard.press('x');
    await eventually('the tool is folded', async () => (await row(page, 'sql.query').count()) === 0);
    await press('x', 'llm-1', 'llm-1 queued');
    await press('j', 'sql.query', 'tool.called');
    await press('ArrowRight', 'sql.query', 'WRN agent-7 tool.returned sql.query timed out');
    await page.keyboard.press('Enter');
    await page.locator('#detail', { hasText: 'sql.query timed out' }).waitFor();
    expect(await page.locator('#timeline').isVisible()).toBe(false);
    await page.goBack();
    await eventually('the same entry', async () => (await entryLine(page).innerText()).includes('timed out'));
    expect(await selected(page).innerText()).toBe('sql.query');
    await page.keyboard.press('Escape');
    await eventually('closed', async () => !(await page.locator('#timeline').isVisible()));
  });

  it('names the selected row to screen readers', async () => {
    const page = await openAgent('names');
    await page.keyboard.press('End');
    const active = await tree(page).getAttribute('aria-activedescendant');
    expect(await page.locator(`[id="${active}"]`).textContent()).toMatch(
      /boss joined.*, step, finished, begins after 5/,
    );
    expect(await tree(page).evaluate((element) => element === document.activeElement)).toBe(true);
  });

  it('opens an entry of a channel that is not shown by showing that channel', async () => {
    const id = `other_${Date.now()}`;
    const body = JSON.stringify({ message: 'Build me a boat', message_id: id });
    await fetch(`${gateway.url}/api/process`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    }).then((response) => response.text());
    const page = await open('timeline:nothing', id);
    await row(page, 'llm-1').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('#detail', { hasText: 'Sending to llm-1' }).waitFor();
    expect(page.url()).toContain(`channels=runs:${id}`);
    await page.goBack();
    await row(page, 'llm-combine').waitFor();
    expect(page.url()).toContain('channels=timeline:nothing');
  });
});

describe('with the pointer', () => {
  it('the entry nearest to it is shown, and a click selects it', async () => {
    const page = await openAgent('pointer');
    // Looked up each time: a line above the picture that comes or goes moves it.
    const pointAt = async (share: number) => {
      const box = await row(page, 'llm-2').locator('.bar').boundingBox();
      if (!box) throw new Error('no bar');
      await page.mouse.move(box.x + box.width * share, box.y + 8);
    };
    await eventually('the end of llm-2', async () => {
      await pointAt(0.83);
      return (await entryLine(page).innerText()).includes('llm-2 finished');
    });
    await eventually('its first token', async () => {
      await pointAt(0.68);
      await page.mouse.down();
      await page.mouse.up();
      return (await entryLine(page).innerText()).includes('Once');
    });
    expect(await selected(page).innerText()).toBe('llm-2');
  });
});

describe('two runs', () => {
  it('stand side by side on one scale, chosen with the key c and named in the URL', async () => {
    await gateway.publish(...agentRun('timeline:two', 'short'), ...agentRun('timeline:two', 'long', 2));
    const page = await openPage(browser, `${gateway.url}/?channels=timeline:two`, { width: 1440 });
    await lastRow(page, 'run finished');
    await page.keyboard.press('t');
    await row(page, 'long').waitFor();
    await page.keyboard.press('c');
    await page.getByLabel('compare with run').waitFor();
    expect(
      await page
        .locator('#timeline datalist option')
        .evaluateAll((all) => all.map((each) => (each as HTMLOptionElement).value)),
    ).toEqual(['short']);
    await page.keyboard.type('short');
    await page.keyboard.press('Enter');
    await tree(page, 'short').getByRole('treeitem').nth(5).waitFor();
    expect(page.url()).toContain('vs=short');
    const widths = (run: string) =>
      tree(page, run)
        .locator('i.stream')
        .evaluateAll((all) => all.map((each) => (each as HTMLElement).style.width));
    await eventually('one scale', async () => (await widths('short'))[0] === '5.833%');
    expect((await widths('long'))[0]).toBe('11.667%');
    const [left, right] = await Promise.all([
      tree(page, 'short').boundingBox(),
      tree(page, 'long').boundingBox(),
    ]);
    expect(left?.y).toBe(right?.y);
    expect(left?.x).toBeGreaterThan(right?.x ?? 0);
    await page.setViewportSize({ width: 800, height: 700 });
    await eventually('one above the other', async () => {
      const [above, below] = await Promise.all([
        tree(page, 'short').boundingBox(),
        tree(page, 'long').boundingBox(),
      ]);
      return above?.x === below?.x && (above?.y ?? 0) > (below?.y ?? 0);
    });
    await page.keyboard.press('c');
    await eventually('one run', async () => (await tree(page).count()) === 1);
    expect(page.url()).not.toContain('vs=');
  });

  it('the key o leads from one to another, which is offered with the time of its latest entry', async () => {
    await gateway.publish(...agentRun('timeline:other', 'older'), ...agentRun('timeline:other', 'newer', 2));
    const page = await openPage(browser, `${gateway.url}/?channels=timeline:other&t=newer`);
    await tree(page, 'newer').getByRole('treeitem').nth(5).waitFor();
    await page.keyboard.press('o');
    await page.getByLabel('see run').waitFor();
    const offered = await page
      .locator('#timeline datalist option')
      .evaluateAll((all) => (all as HTMLOptionElement[]).map(({ value, label }) => `${value}: ${label}`));
    expect(offered).toEqual([expect.stringMatching(/^older: latest entry \d+ s ago$/)]);
    await page.keyboard.press('Escape');
    await page.getByLabel('see run').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'other run' }).click();
    await page.keyboard.type('older');
    await page.keyboard.press('Enter');
    await tree(page, 'older').getByRole('treeitem').nth(5).waitFor();
    expect([await tree(page).count(), new URL(page.url()).searchParams.get('t')]).toEqual([1, 'older']);
  });
});

describe('everywhere', () => {
  it.each([
    ['dark', 1440],
    ['light', 1000],
    ['dark', 360],
  ])('axe finds nothing serious: %s, %i px', async (theme, width) => {
    const page = await openAgent(`axe${width}`, `&theme=${theme}`, { width });
    await page.keyboard.press('End');
    expect(await serious(page)).toEqual([]);
    const sideways = await page
      .locator('#timeline')
      .evaluate((element) => element.scrollWidth - element.clientWidth);
    expect(sideways).toBe(0);
  });
});
