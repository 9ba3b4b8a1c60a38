// The fleet: a row for each source, by what its entries say, and from each figure a way to the lines behind it.
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

const numbers = {
  source: 'gpu-7',
  event: 'server.metrics',
  msg: 'numbers',
  attrs: {
    requests_running: 4,
    requests_waiting: 9,
    generation_tokens_per_s: 41,
    kv_cache_usage: 0.97,
    'host.name': 'box-a',
  },
};

/** A channel of its own for a test, with three sources: one with numbers and an error, one that generates, one that says little. */
async function fleetOn(channel: string): Promise<string[]> {
  const generation = { channel, source: 'gpu-3', run: 'r1' };
  const model = { 'gen_ai.request.model': 'org/qwen' };
  return gateway.publish(
    { channel, ...numbers },
    { channel, source: 'gpu-7', level: 'error', msg: 'CUDA out of memory' },
    { ...generation, event: 'generation.started', msg: 'started', attrs: model },
    { ...generation, event: 'generation.delta', msg: 'Once', attrs: { tokens: 1 } },
    {
      ...generation,
      event: 'generation.finished',
      msg: 'finished',
      attrs: { ...model, 'gen_ai.response.time_to_first_chunk': 0.25 },
    },
    { channel, source: 'api-2', msg: 'GET / 200' },
  );
}

const isInSight = (element: Element) => {
  const { top, bottom } = element.getBoundingClientRect();
  const [head, fleet] = ['#fleet .head', '#fleet'].map((selector) => document.querySelector(selector));
  return (
    top >= (head?.getBoundingClientRect().bottom ?? 0) - 1 &&
    bottom <= (fleet?.getBoundingClientRect().bottom ?? 0) + 1
  );
};
const row = (page: Page, source: string) => page.locator('#fleet .row', { hasText: source });
const cell = (page: Page, source: string, column: string) =>
  row(page, source).locator(`[data-column="${column}"]`);
const sources = async (page: Page) =>
  (await page.locator('#fleet [role="row"] [role="rowheader"][data-column]').allInnerTexts()).map(
    (text) => text.split(' ')[1],
  );
const open = async (channel: string, search = '') => {
  await fleetOn(channel);
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}&fleet=1${search}`, {
    width: 1440,
  });
  await row(page, 'api-2').waitFor();
  return page;
};

describe('the fleet', () => {
  it('is loaded when it is opened, and has counted what came before', async () => {
    await fleetOn('fleet:later');
    const page = await openPage(browser, `${gateway.url}/?channels=fleet:later`, { width: 1440 });
    await lastRow(page, 'GET / 200');
    const isLoaded = () =>
      page.evaluate(() =>
        performance.getEntriesByType('resource').some(({ name }) => /fleet-[^/]*\.js$/.test(name)),
      );
    expect(await isLoaded()).toBe(false);
    await page.keyboard.press('f');
    await row(page, 'api-2').waitFor();
    expect(await isLoaded()).toBe(true);
    expect(page.url()).toContain('fleet=1');
    await sees(page, '3 sources · 1 model');
    await page.keyboard.press('f');
    await eventually('the log is there again', async () => (await messages(page)).includes('GET / 200'));
    expect(page.url()).not.toContain('fleet=');
  });

  it('shows what each source says, trouble first, and what it does not say as not known', async () => {
    const page = await open('fleet:said');
    expect((await sources(page))[0]).toBe('gpu-7');
    const texts = (source: string) =>
      Promise.all(
        ['model', 'running', 'queued', 'ttft', 'kv', 'errors'].map((column) =>
          cell(page, source, column).innerText(),
        ),
      );
    // Numbers hold for ten seconds, which a busy machine may need to look at them.
    await eventually('what gpu-7 reports', async () => {
      await gateway.publish({ ...numbers, channel: 'fleet:said' });
      return (await texts('gpu-7')).join() === '–,4,9,–, 97% █████,1';
    });
    expect(await texts('gpu-3')).toEqual(['qwen', '0', '–', '0.3 / 0.3 s', '–', '0']);
    expect(await texts('api-2')).toEqual(['–', '–', '–', '–', '–', '0']);
    expect(await cell(page, 'gpu-7', 'last').innerText()).toMatch(/^1 error in .* · CUDA out of memory$/);
  });

  it('counts what comes while it is open', async () => {
    const page = await open('fleet:live');
    const attrs = { 'gen_ai.request.model': 'new-model' };
    await gateway.publish({
      channel: 'fleet:live',
      source: 'gpu-9',
      run: 'r2',
      event: 'generation.started',
      attrs,
    });
    await row(page, 'gpu-9').waitFor();
    expect(await cell(page, 'gpu-9', 'running').innerText()).toBe('1');
    await gateway.publish({
      channel: 'fleet:live',
      source: 'gpu-9',
      run: 'r2',
      event: 'generation.finished',
      attrs,
    });
    await eventually('none runs', async () => (await cell(page, 'gpu-9', 'running').innerText()) === '0');
  });

  it('the log is as new as the stream when the fleet is closed', async () => {
    const page = await open('fleet:over');
    await gateway.publish({ channel: 'fleet:over', source: 'gpu-9', msg: 'written behind the fleet' });
    await row(page, 'gpu-9').waitFor();
    await page.keyboard.press('f');
    await lastRow(page, 'written behind the fleet');
  });

  describe('with more rows than are in sight', () => {
    const inDocument = (page: Page) => page.locator('#fleet [role="row"]:not(.head)').count();
    const focused = (page: Page) =>
      page.evaluate(() =>
        document.activeElement?.closest('.row')?.querySelector('bdi')?.textContent?.replace('● ', ''),
      );
    const scrollTo = (page: Page, top: number) =>
      page.locator('#fleet').evaluate((fleet, to) => fleet.scrollTo(0, to), top);

    async function openLong(channel: string, width = 1440, sort = 'source'): Promise<Page> {
      const all = Array.from({ length: 120 }, (_, n) => ({ channel, source: `s-${n}`, msg: 'first line' }));
      await gateway.publish(...all);
      const page = await openPage(browser, `${gateway.url}/?channels=${channel}&fleet=1&sort=${sort}`, {
        width,
      });
      await page.locator('#fleet [aria-rowcount="121"]').waitFor();
      return page;
    }

    it.each([1440, 600])('only those in sight are in the document, %i px wide', async (width) => {
      const page = await openLong(`fleet:long-${width}`, width);
      await row(page, 's-0').first().waitFor();
      expect(await inDocument(page)).toBeLessThan(60);
      const height = await page.locator('#fleet').evaluate((fleet) => fleet.scrollHeight);
      const each = await row(page, 's-0')
        .first()
        .evaluate((one) => one.getBoundingClientRect().height);
      await scrollTo(page, height);
      await row(page, 's-119').waitFor();
      expect(await row(page, 's-119').getAttribute('aria-rowindex')).toBe('121');
      expect(await row(page, 's-119').evaluate(isInSight)).toBe(true);
      const top = await page.locator('#fleet').evaluate((fleet) => fleet.getBoundingClientRect().top);
      expect((await page.locator('#fleet .head').boundingBox())?.y, 'the titles stay').toBeCloseTo(top, 0);
      expect(await inDocument(page)).toBeLessThan(60);
      expect(await page.locator('#fleet').evaluate((fleet) => fleet.scrollHeight)).toBe(height);
      expect(height).toBeGreaterThan(120 * each);
      expect(height).toBeLessThan(130 * each);
    });

    it('a row that comes into sight says what its source said last', async () => {
      const page = await openLong('fleet:last');
      await gateway.publish({ channel: 'fleet:last', source: 's-119', msg: 'second line' });
      await scrollTo(page, 1e6);
      await eventually('its last line', async () =>
        (await cell(page, 's-119', 'last').innerText()).includes('second line'),
      );
    });

    it('the keys reach each row, from wherever the page was scrolled to', async () => {
      const page = await openLong('fleet:keys-long');
      await page.locator('#fleet [role="grid"]').focus();
      const press = async (key: string, source: string) => {
        await page.keyboard.press(key);
        await eventually(`${key} leads to ${source}`, async () => (await focused(page)) === source);
        expect(await row(page, source).last().evaluate(isInSight)).toBe(true);
      };
      await press('g', 's-0');
      await press('G', 's-119');
      await press('ArrowUp', 's-118');
      await press('g', 's-0');
      await scrollTo(page, 1e6);
      await row(page, 's-119').waitFor();
      expect(await focused(page)).toBe('s-0');
      await press('ArrowDown', 's-1');
      await scrollTo(page, 0);
      await press('PageDown', 's-11');
    });

    it('nothing scrolls by itself when the row that has the focus goes out of sight', async () => {
      const channel = 'fleet:still';
      const errors = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, n) => ({
          channel,
          source: `s-${from + n}`,
          level: 'error',
          msg: 'x',
        }));
      await gateway.publish(...errors(0, 1));
      const page = await openLong(channel, 1440, 'errors');
      await page.locator('#fleet [role="grid"]').focus();
      await page.keyboard.press('g');
      await eventually('the first row has the focus', async () => (await focused(page)) === 's-0');
      const top = () => page.locator('#fleet').evaluate((fleet) => fleet.scrollTop);
      const before = await top();
      await gateway.publish(...errors(1, 120), ...errors(1, 120));
      await page.locator('#fleet [aria-rowindex="121"] :text("s-0")').waitFor({ state: 'attached' });
      expect([await focused(page), await top()]).toEqual(['s-0', before]);
    });
  });

  it('a call that hangs since before the page’s first line is trouble, in running now, too, and leads to its run', async () => {
    const channel = 'fleet:hang';
    const call = (event: string, run: string) => {
      const attrs = { 'gen_ai.tool.name': 'crm.lookup', 'gen_ai.tool.call.id': 'call-1', lane: 'step-1' };
      return { channel, source: 'agents-1', run, event, msg: `${event} of ${run}`, attrs };
    };
    await gateway.publish(
      call('tool.called', 'hangs'),
      call('tool.called', 'answered'),
      call('tool.returned', 'answered'),
      call('tool.called', 'stopped'),
      { channel, source: 'agents-1', run: 'stopped', event: 'run.cancelled', msg: 'cancelled' },
      call('tool.called', 'of its caller'),
      { ...call('generation.finished', 'of its caller'), attrs: { lane: 'step-1' } },
      { channel, source: 'api-2', msg: 'GET / 200' },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&fleet=1&tail=1`, {
      width: 1440,
    });
    await row(page, 'agents-1').waitFor();
    // Its clock goes ahead of the log's until the next ping.
    await eventually('what hangs', async () => {
      await page.evaluate(() => {
        const { now } = Date;
        Date.now = () => now() + 60_000;
      });
      return (await cell(page, 'agents-1', 'last').innerText()).startsWith('crm.lookup has not answered for');
    });
    await page.keyboard.press('R');
    await eventually('it is named', async () => {
      const named = await page.locator('#running .hanging button').allInnerTexts();
      return named.length === 1 && /^○ crm\.lookup of hangs has not answered for /.test(named[0] ?? '');
    });
    await page.keyboard.press('f');
    await cell(page, 'agents-1', 'last').click();
    await page.locator('#timeline [role="treeitem"]', { hasText: 'crm.lookup' }).waitFor();
    expect(new URL(page.url()).searchParams.get('t')).toBe('hangs');
  });

  it('begins anew with other channels', async () => {
    const page = await open('fleet:before');
    await gateway.publish({ channel: 'fleet:after', source: 'other', msg: 'hello' });
    await page.locator('button.channels').click();
    await page.getByLabel('Add a channel or pattern').fill('fleet:after');
    await page.keyboard.press('Enter');
    await row(page, 'other').waitFor();
    await page.locator('#list li', { hasText: 'fleet:before' }).getByRole('button').click();
    await eventually('only the other is there', async () => (await sources(page)).join() === 'other');
  });

  it('is as a link says, and each title sorts', async () => {
    await fleetOn('fleet:sorted');
    const link = `${gateway.url}/?channels=fleet:sorted&sort=-source`;
    const page = await openPage(browser, link, { width: 1440 });
    await lastRow(page, 'GET / 200');
    await page.keyboard.press('f');
    const order = (expected: string) =>
      eventually(`the order ${expected}`, async () => (await sources(page)).join() === expected);
    await order('gpu-7,gpu-3,api-2');
    await page.getByRole('button', { name: 'first p50' }).click();
    await order('gpu-3,api-2,gpu-7');
    expect(page.url()).toContain('sort=ttft');
    await page.reload();
    await order('gpu-3,api-2,gpu-7');
    expect(await page.locator('#fleet [aria-sort]').innerText()).toContain('first p50');
  });

  it('says that it is not live, and takes nobody for silent meanwhile', async () => {
    const scripted = await ScriptedGateway.ofTest();
    const page = await openPage(browser, `${scripted.url}/?fleet=1`, {
      before: (fresh) => fresh.clock.install(),
    });
    await sees(page, 'LIVE');
    // Only of a source that reports numbers is silence a sign.
    for (const running of [4, 5]) {
      const report = { source: 'gpu-1', event: 'server.metrics', attrs: { requests_running: running } };
      scripted.write(scripted.entry('numbers', report).text);
      await cell(page, 'gpu-1', 'running').getByText(String(running)).waitFor();
    }
    scripted.answer = (response) => response.destroy();
    scripted.cut();
    await sees(page, 'not live: this is how it was at');
    await page.clock.runFor(60_000);
    expect(await cell(page, 'gpu-1', 'source').innerText()).toBe('● gpu-1');
  });

  it('shows hostile names and lines as text', async () => {
    const channel = 'fleet:hostile';
    const text = '<img src=x onerror="alert(1)">\u202e\u001b[31m';
    const attrs = { requests_running: 1, 'gen_ai.request.model': text, 'host.name': text };
    await gateway.publish(
      { channel, source: text, event: 'server.metrics', msg: text, attrs },
      { channel, source: text, level: 'error', msg: text },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=${channel}&fleet=1`, { width: 1440 });
    await row(page, '<img').waitFor();
    expect(await page.locator('#fleet img').count()).toBe(0);
    expect(await page.locator('#fleet').innerText()).not.toMatch(/\p{Bidi_Control}|\p{Cc}(?<!\s)/u);
  });
});

describe('a cell opens the lines behind it', () => {
  it.each<[string, string, string[]]>([
    ['gpu-7', 'source', ['numbers', 'CUDA out of memory']],
    ['gpu-7', 'queued', ['numbers']],
    ['gpu-7', 'errors', ['CUDA out of memory']],
    ['gpu-3', 'ttft', ['finished']],
  ])('%s, %s', async (source, column, lines) => {
    const page = await open(`fleet:behind-${source}-${column}`);
    await cell(page, source, column).click();
    await eventually('its lines are shown', async () => (await messages(page)).length === lines.length);
    const shown = await messages(page);
    for (const [i, line] of lines.entries()) expect(shown[i]).toContain(line);
    await page.goBack();
    await row(page, source).waitFor();
  });

  it('the last line opens that entry', async () => {
    const page = await open('fleet:last');
    await cell(page, 'api-2', 'last').click();
    await page.locator('#detail', { hasText: 'GET / 200' }).waitFor();
  });

  it('what is wrong, before the last line, opens the lines that show it; a cell that is cut says all of it', async () => {
    const page = await open('fleet:wrong');
    await gateway.publish({ channel: 'fleet:wrong', source: 'gpu-7', msg: `x${' and more'.repeat(60)}` });
    const last = cell(page, 'gpu-7', 'last');
    await last.getByText('x and more').waitFor();
    await last.hover();
    await eventually('its tooltip', async () =>
      /^1 error in the last minute.* · x( and more)+/.test((await last.getAttribute('title')) ?? ''),
    );
    await last.click();
    await eventually('its errors', async () => (await messages(page)).join() === 'CUDA out of memory');
    expect(new URL(page.url()).searchParams.get('q')).toBe('source:gpu-7 level:error+');
  });

  it('the last line needs no history where the gateway narrows a new stream to its source', async () => {
    const page = await open('fleet:narrow', '&narrow=1&q=source:*');
    const asked: string[] = [];
    page.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url());
      // The fleet asks for calls of tools; it is not meant here.
      if (pathname === '/api/entries' && searchParams.get('q') !== 'tool.') asked.push(request.url());
    });
    // What asks the history is loaded with the first of them.
    for (const [source, line] of [
      ['gpu-3', 'finished'],
      ['api-2', 'GET / 200'],
    ] as const) {
      await cell(page, source, 'last').click();
      await page.locator('#detail', { hasText: line }).waitFor();
      await page.goBack();
      await row(page, 'api-2').waitFor();
    }
    expect(asked).toEqual([]);
  });
});

describe('two sources', () => {
  const pair = (page: Page) => page.getByRole('region', { name: 'Two sources' });
  const figures = (page: Page, title: string) =>
    pair(page)
      .getByRole('row', { name: new RegExp(`^${title}`) })
      .getByRole('cell')
      .allInnerTexts();
  const report = (source: string, attrs: Record<string, number>) => ({
    channel: `fleet:${source}`,
    source,
    event: 'server.metrics',
    msg: 'numbers',
    attrs,
  });
  const BARS = /[▁-█]/g;

  it('are marked by a key, and stand beside each other on one scale, from the same entries, as the link says', async () => {
    await gateway.publish(
      report('two-a', { requests_running: 8, generation_tokens_per_s: 400 }),
      report('two-b', { requests_running: 1, generation_tokens_per_s: 50 }),
      { channel: 'fleet:two-b', source: 'two-b', level: 'error', msg: 'CUDA out of memory' },
    );
    const link = `${gateway.url}/?channels=fleet:two-*&fleet=1&sort=source`;
    const page = await openPage(browser, link, { width: 1440 });
    await row(page, 'two-b').waitFor();
    await page.keyboard.press('Home');
    await page.keyboard.press('c');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('c');
    await pair(page).waitFor();
    expect(page.url()).toContain('compare=two-a&compare=two-b');
    await eventually('its figures', async () => /400.*400/.test((await figures(page, 'tok/s'))[0] ?? ''));
    const [a = '', b = ''] = await figures(page, 'tok/s');
    expect(b).toMatch(/50, most 50/);
    // An eighth of the other's height.
    expect([a.match(BARS)?.at(-1), b.match(BARS)?.at(-1)]).toEqual(['█', '▂']);
    expect((await figures(page, 'errors')).map((text) => text.replace(BARS, '').trim())).toEqual(['0', '1']);
    expect((await figures(page, 'queue')).map((text) => text.trim())).toEqual(['–', '–']);
    await page.reload();
    await pair(page).waitFor();
    await page.getByRole('button', { name: 'Close the comparison' }).click();
    await pair(page).waitFor({ state: 'hidden' });
    expect(page.url()).not.toContain('compare');
  });

  it('are picked by clicks, and a figure leads to the lines behind it', async () => {
    const page = await open('fleet:pick', '&sort=source');
    await page.getByRole('button', { name: 'compare two' }).click();
    await cell(page, 'gpu-3', 'source').click();
    await cell(page, 'gpu-7', 'queued').click();
    await pair(page).waitFor();
    expect(await row(page, 'gpu-7').getAttribute('aria-selected')).toBe('true');
    expect(await serious(page)).toEqual([]);
    await pair(page)
      .getByRole('row', { name: /^errors/ })
      .getByRole('cell')
      .nth(1)
      .getByRole('button')
      .click();
    await eventually('its errors', async () => (await messages(page)).join() === 'CUDA out of memory');
    await page.goBack();
    await pair(page).waitFor();
  });
});

describe('by keyboard', () => {
  it('rows and cells are moved over, opened, and left', async () => {
    const page = await open('fleet:keys', '&sort=source');
    const press = async (key: string, source: string, column: string) => {
      await page.keyboard.press(key);
      await eventually(`${key} leads to ${source}, ${column}`, () =>
        cell(page, source, column).evaluate((element) => element === document.activeElement),
      );
    };
    await press('Home', 'api-2', 'source');
    await press('ArrowDown', 'gpu-3', 'source');
    await press('j', 'gpu-7', 'source');
    await press('ArrowRight', 'gpu-7', 'model');
    await press('ArrowRight', 'gpu-7', 'running');
    await press('ArrowRight', 'gpu-7', 'queued');
    await press('k', 'gpu-3', 'queued');
    await press('End', 'gpu-7', 'queued');
    await page.keyboard.press('Enter');
    await eventually(
      'the lines of the cell',
      async () => (await messages(page)).join() === 'server.metrics numbers',
    );
    await page.goBack();
    await row(page, 'gpu-7').waitFor();
    await page.keyboard.press('Escape');
    await eventually('the fleet is closed', async () => !(await page.locator('#fleet').isVisible()));
  });

  it('the first row has the focus as soon as there is one', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=fleet:focus&fleet=1`, { width: 1440 });
    await page.locator('#fleet [role="grid"]').waitFor();
    await gateway.publish({ channel: 'fleet:focus', source: 'gpu-1', msg: 'hello' });
    await eventually('the row has the focus', () =>
      cell(page, 'gpu-1', 'source').evaluate((element) => element === document.activeElement),
    );
  });

  it('Escape closes the detail first, and the fleet with the next', async () => {
    const [id] = await fleetOn('fleet:escape');
    const link = `${gateway.url}/?channels=fleet:escape&fleet=1&at=${id}`;
    const page = await openPage(browser, link, { width: 1440 });
    await row(page, 'api-2').waitFor();
    await page.locator('#detail .fields').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#detail').waitFor({ state: 'hidden' });
    expect(await page.locator('#fleet').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await page.locator('#fleet').waitFor({ state: 'hidden' });
  });

  it('the row that has the focus keeps it when rows change their places', async () => {
    const page = await open('fleet:places');
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '');
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    expect(await focused()).toContain('api-2');
    await gateway.publish({ channel: 'fleet:places', source: 'api-2', level: 'error', msg: 'gone' });
    await eventually(
      'the order is another',
      async () => (await sources(page)).join() === 'gpu-7,api-2,gpu-3',
    );
    expect(await focused()).toContain('api-2');
  });

  it.each([
    ['dark', 1440],
    ['light', 1000],
    ['dark', 360],
  ])('axe finds nothing serious: %s, %i px', async (theme, width) => {
    await fleetOn('fleet:axe');
    const page = await openPage(browser, `${gateway.url}/?channels=fleet:axe&fleet=1&theme=${theme}`, {
      width,
    });
    await row(page, 'api-2').waitFor();
    expect(await serious(page)).toEqual([]);
    const sideways = await page.locator('#fleet').evaluate((fleet) => fleet.scrollWidth - fleet.clientWidth);
    expect(sideways).toBe(0);
  });
});
