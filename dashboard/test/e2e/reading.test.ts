// What a reader does with the log, on the real gateway: folding, filters, detail, times, text, links, exports,
// channels.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';

let gateway: Gateway;
let browser: Browser;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const EARLIER = Date.UTC(2026, 0, 1, 12);

let channels = 0;
/** A channel of its own for each test, with entries on it, and the page that shows it. */
async function shown(
  entries: Record<string, unknown>[],
  search = '',
): Promise<{ page: Page; channel: string; ids: string[] }> {
  const channel = `logs:test${++channels}`;
  const ids = await gateway.publish(...entries.map((entry) => ({ channel, source: 'test', ...entry })));
  const page = await openPage(browser, `${gateway.url}/?channels=${channel}${search}`);
  if (entries.length > 0) await eventually('rows are shown', async () => (await messages(page)).length > 0);
  return { page, channel, ids };
}

const filterBy = async (page: Page, text: string, key = 'Enter') => {
  await page.getByRole('combobox', { name: 'Filter' }).fill(text);
  await page.keyboard.press(key);
};

const shows = async (page: Page, expected: string[]) => {
  let seen: string[] = [];
  const read = async () => {
    seen = await messages(page);
    return seen.join('|') === expected.join('|');
  };
  await eventually(`rows ${JSON.stringify(expected)}`, read).catch((error) => {
    throw new Error(`${error.message}; shown: ${JSON.stringify(seen)}`);
  });
};

describe('folded rows', () => {
  const delta = (run: string, msg: string, tokens: number, time: number) => ({
    event: 'generation.delta',
    run,
    msg,
    time,
    attrs: { lane: 'llm-1', tokens },
  });

  it('shows the deltas of a generation as one growing line with count and speed, and x expands it', async () => {
    const { page, channel } = await shown([
      delta('r1', 'The capital', 3, EARLIER),
      { msg: 'a log line' },
      delta('r2', 'Paris', 1, EARLIER),
      delta('r1', ' of France', 7, EARLIER + 1_000),
    ]);
    await shows(page, [
      '▸ llm-1   ≈10t  10/s The capital of France',
      'a log line',
      '▸ llm-1    ≈1t       Paris',
    ]);
    await gateway.publish({ channel, source: 'test', ...delta('r1', ' is Paris.', 10, EARLIER + 2_000) });
    await eventually('it grows', async () =>
      (await messages(page))[0]?.includes('20t  10/s The capital of France is Paris.'),
    );
    await page.locator('.row.fold').first().click();
    await page.keyboard.press('x');
    await eventually(
      'the raw entries are there',
      async () => (await messages(page)).filter((msg) => msg.startsWith('generation.delta')).length === 3,
    );
  });

  const reported = (source: string, msg: string) => ({ event: 'server.metrics', source, msg });
  const mixed = [
    reported('gpu-1', 'kv 10%'),
    { msg: 'out of memory', level: 'error' },
    reported('gpu-2', 'kv 90%'),
    { msg: 'out of memory', level: 'error' },
    reported('gpu-1', 'kv 11%'),
  ].map((each, i) => ({ ...each, time: EARLIER + i * 1_000 }));
  const folded = ['×2 server.metrics kv 11%', '×2 in 2.00s out of memory', 'server.metrics kv 90%'];
  const raw = mixed.map(({ msg }) => (msg.startsWith('kv') ? `server.metrics ${msg}` : msg));

  it('are the numbers of a source and a repeated line, and the URL says where each entry has a row', async () => {
    const { page } = await shown(mixed);
    await shows(page, folded);
    await page.getByRole('button', { name: 'fold rows' }).click();
    await shows(page, raw);
    expect(page.url()).toContain('fold=0');
    await page.reload();
    await shows(page, raw);
  });

  it('are opened by x, one kind at a time, and folded again by x', async () => {
    const { page } = await shown(mixed);
    await page.getByText('out of memory').click();
    await page.getByRole('button', { name: 'show its 2 entries (x)' }).waitFor();
    await page.keyboard.press('x');
    await shows(page, [folded[0] ?? '', 'out of memory', 'server.metrics kv 90%', 'out of memory']);
    await page.keyboard.press('x');
    await shows(page, folded);
  });

  it('are exported entry by entry, in the order of the log', async () => {
    const { page } = await shown(mixed);
    await shows(page, folded);
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(mixed.map(({ msg }) => msg));
  });

  it('are entries of their own for filters and links', async () => {
    const { page, ids } = await shown(mixed);
    await filterBy(page, '11%');
    await shows(page, ['server.metrics kv 11%']);
    await filterBy(page, 'event:server.metrics');
    await shows(
      page,
      raw.filter((text) => text.startsWith('server')),
    );
    const link = new URL(page.url());
    link.search = `?channels=${link.searchParams.get('channels')}&at=${ids[0]}`;
    await page.goto(link.href);
    const detail = page.getByRole('region', { name: 'Entry detail' });
    await eventually('its own detail is open', async () => (await detail.innerText()).includes('kv 10%'));
    expect(await page.locator('.row.cursor .msg').innerText()).toBe(folded[0]);
  });

  it('shows orchestration events unlike log lines, and the entries of a run with the same mark', async () => {
    const { page } = await shown([
      { msg: 'plain' },
      { event: 'run.started', run: 'r9', msg: 'fan-out' },
      { event: 'tool.called', run: 'r9', msg: 'search' },
    ]);
    await shows(page, ['plain', 'run.started fan-out', 'tool.called search']);
    expect(await page.locator('.row.orch').count()).toBe(2);
    const marks = await page
      .locator('.row.orch .run')
      .evaluateAll((all) => all.map((mark) => mark.className));
    expect(new Set(marks).size).toBe(1);
  });

  it('shows what has failed in red, but not a call that somebody has cancelled', async () => {
    const failed = { event: 'generation.failed', run: 'r10' };
    const { page } = await shown([
      { ...failed, msg: 'refused', level: 'error' },
      { ...failed, msg: 'cancelled', level: 'info' },
    ]);
    await shows(page, ['generation.failed refused', '✕ cancelled']);
    expect(await page.locator('.row.bad').count()).toBe(1);
  });
});

describe('filter', () => {
  const mixed = [
    { msg: 'request accepted', level: 'info' },
    { msg: 'heartbeat ok', level: 'debug' },
    { msg: 'upstream 429', level: 'warn', source: 'gpu-7' },
    { msg: 'out of memory', level: 'error', attrs: { 'gen_ai.usage.output_tokens': 900 } },
  ];

  it('filters on Enter, only highlights on Alt+Enter, clears on Escape, and shows how many entries it hides', async () => {
    const { page } = await shown(mixed);
    await filterBy(page, 'level:warn+ -memory');
    await shows(page, ['upstream 429']);
    await sees(page, '3 hidden by filter');
    await filterBy(page, 'ok', 'Alt+Enter');
    await shows(
      page,
      mixed.map(({ msg }) => msg),
    );
    expect(await page.locator('#log mark').allInnerTexts()).toEqual(['ok']);
    await page.getByRole('combobox', { name: 'Filter' }).press('Escape');
    await eventually('no marks', async () => (await page.locator('#log mark').count()) === 0);
  });

  it('does not filter the charts, which say so', async () => {
    const { page } = await shown(mixed, '&charts=1');
    const first = page.locator('#charts figcaption b').first();
    await eventually('its title', async () => (await first.innerText()) === 'entries/s');
    await filterBy(page, 'level:warn+');
    await eventually(
      'what it counts',
      async () => (await first.innerText()) === 'entries/s without the filter',
    );
  });

  it('keeps the last valid filter when a regex is invalid, and says why', async () => {
    const { page } = await shown(mixed);
    await filterBy(page, '/4\\d\\d/');
    await shows(page, ['upstream 429']);
    await filterBy(page, '/4(\\d/');
    await sees(page, /Unterminated group.*not applied/);
    expect(await messages(page)).toEqual(['upstream 429']);
  });

  it('filters on attributes by the last part of their names', async () => {
    const { page } = await shown(mixed);
    await filterBy(page, 'output_tokens>800');
    await shows(page, ['gen_ai.usage.output_tokens: 900 · out of memory']);
  });

  it('shows the attribute that matched before the message, marked, and n goes to it', async () => {
    const { page } = await shown([
      { msg: 'Rate_limit in the text' },
      { msg: 'refused', attrs: { 'error.type': 'rate_limit', tenant: 'a' } },
      { msg: 'accepted' },
    ]);
    await filterBy(page, 'rate_limit');
    await shows(page, ['Rate_limit in the text', 'error.type: rate_limit · refused']);
    expect(await page.locator('#log em mark').allInnerTexts()).toEqual(['rate_limit']);
    await page.keyboard.press('w');
    await page.locator('#log').focus();
    for (const text of ['Rate_limit', 'refused']) {
      await page.keyboard.press('n');
      await eventually(`the cursor is on ${text}`, async () =>
        (await page.locator('.row.cursor .msg').allInnerTexts()).join().includes(text),
      );
    }
  });

  it('completes with values of the entries', async () => {
    const { page } = await shown(mixed);
    await page.getByRole('combobox', { name: 'Filter' }).pressSequentially('source:g');
    await page.getByRole('option', { name: 'source:gpu-7' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows(page, ['upstream 429']);
  });

  it('narrows the stream itself where the switch is on', async () => {
    const { page } = await shown(mixed);
    // What is typed need not be entered before.
    await page.getByRole('combobox', { name: 'Filter' }).fill('level:error+');
    await page.getByRole('button', { name: 'on server' }).click();
    await sees(page, '1 kept · more hidden on the server');
    await shows(page, ['out of memory']);
    await filterBy(page, '/memory/');
    await sees(page, 'a filter that only the page can apply');
  });

  it('filters by level with one key', async () => {
    const { page } = await shown(mixed);
    await page.keyboard.press('4');
    await shows(page, ['upstream 429', 'out of memory']);
    expect(page.url()).toContain('level=warn');
  });
});

describe('detail', () => {
  it('shows all fields as a tree and the time since the entry before', async () => {
    const { page, ids } = await shown([
      { msg: 'first', time: EARLIER },
      {
        msg: 'second',
        time: EARLIER + 2_500,
        run: 'r5',
        attrs: { nested: { deep: [1, { x: true }] }, plain: 'text' },
      },
    ]);
    await page.getByText('second').click();
    const detail = page.getByRole('region', { name: 'Entry detail' });
    await eventually('all fields', async () => {
      const text = await detail.innerText();
      return ['+2.50s', 'nested', 'deep', 'true', 'plain', 'text', 'r5', ids[1]].every((each) =>
        text.includes(each ?? '?'),
      );
    });
    await detail.getByRole('button', { name: 'copy JSON' }).click();
    await sees(page, 'entry copied');
    expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toMatchObject({
      msg: 'second',
      run: 'r5',
    });
    await page.keyboard.press('k');
    await eventually('it moves with the cursor', async () => (await detail.innerText()).includes('first'));
    await page.locator('#log .row', { hasText: 'second' }).click();
    await eventually('another row is one click', async () => (await detail.innerText()).includes('r5'));
  });

  it('shows a stack trace in an attribute of any name as lines', async () => {
    const stack = 'Error: boom\n    at inner (/app/x.js:3:1)\n    at outer (/app/x.js:9:1)';
    const { page } = await shown([
      {
        msg: 'request failed',
        level: 'error',
        attrs: { err: { message: 'boom', stack }, 'exception.stacktrace': `${stack}\u202e\n` },
      },
    ]);
    await page.getByText('request failed').click();
    const detail = page.getByRole('region', { name: 'Entry detail' });
    const traces = detail.locator('pre');
    await eventually('both are there', async () => (await traces.count()) === 2);
    expect(await traces.allInnerTexts()).toEqual([stack, `${stack}⍰`]);
    const [name, trace] = [detail.getByText('stack', { exact: true }), traces.first()];
    const [nameBox, traceBox] = [await name.boundingBox(), await trace.boundingBox()];
    expect(traceBox?.height).toBeGreaterThan((nameBox?.height ?? 0) * 2.5);
  });

  it('narrows to the source, the run and the channel of an entry', async () => {
    const { page, channel } = await shown([
      { msg: 'mine', source: 'gpu-1', run: 'r5' },
      { msg: 'same run', source: 'gpu-2', run: 'r5' },
      { msg: 'other', source: 'gpu-2' },
    ]);
    await page.getByText('same run').click();
    await page.getByRole('button', { name: 'only this source' }).click();
    await shows(page, ['same run', 'other']);
    await page.getByRole('button', { name: 'only this run' }).click();
    await shows(page, ['same run']);
    await page.goBack();
    await shows(page, ['same run', 'other']);
    await page.getByRole('button', { name: 'only this channel' }).click();
    expect(page.url()).toContain(`channels=${channel}`);
  });

  it('shows five seconds around an entry', async () => {
    const now = Date.now();
    const { page } = await shown([
      { msg: 'long before', time: now - 60_000 },
      { msg: 'just before', time: now - 3_000 },
      { msg: 'this', time: now },
      { msg: 'just after', time: now + 4_000 },
    ]);
    await page.getByText('this', { exact: true }).click();
    await page.getByRole('button', { name: 'around this' }).click();
    await shows(page, ['just before', 'this', 'just after']);
  });

  it('opens the entry that a link names, though the page did not load it', async () => {
    const { page, ids } = await shown(
      lines(300).map(({ msg }) => ({ msg })),
      '&tail=10',
    );
    const link = new URL(page.url());
    link.searchParams.set('at', ids[20] ?? '');
    await page.goto(link.href);
    const detail = page.getByRole('region', { name: 'Entry detail' });
    await eventually('its detail is open', async () => (await detail.innerText()).includes('line 20'));
    await sees(page, 'HELD');
    expect(await messages(page)).toContain('line 20');
  });
});

describe('time, wrapping and text', () => {
  it('shows times as local, UTC, relative and distance', async () => {
    const { page } = await shown([
      { msg: 'a', time: Date.UTC(2026, 0, 1, 12, 30, 15, 250) },
      { msg: 'b', time: Date.UTC(2026, 0, 1, 12, 30, 16, 750) },
    ]);
    const times = () => page.locator('#log .time').allInnerTexts();
    await page.keyboard.press('T');
    await eventually('UTC', async () => (await times()).join() === '12:30:15.250,12:30:16.750');
    await page.keyboard.press('T');
    await eventually('relative', async () => (await times()).every((time) => /^-\d+d\d\dh$/.test(time)));
    await page.keyboard.press('T');
    await eventually('distance', async () => (await times())[1] === '+1.50s');
    expect(page.url()).toContain('time=delta');
  });

  it('wraps on w: every line of an entry is shown, at the computed height', async () => {
    const { page } = await shown([{ msg: `first\n  second\n${'long '.repeat(60)}` }, { msg: 'below' }]);
    const height = () =>
      page
        .locator('#log .row')
        .first()
        .evaluate((row) => row.getBoundingClientRect().height);
    expect(await height()).toBe(20);
    await page.keyboard.press('w');
    await eventually('it is taller', async () => (await height()) >= 80);
    const { needed, given } = await page
      .locator('#log .msg')
      .first()
      .evaluate((msg) => {
        return { needed: msg.scrollHeight, given: (msg.parentElement as HTMLElement).clientHeight };
      });
    expect(given).toBe(needed);
  });

  it('copies a selection over several rows as whole lines', async () => {
    const { page } = await shown([
      { msg: 'one', time: EARLIER },
      { msg: `two ${'long '.repeat(80)}end`, level: 'warn', time: EARLIER + 1 },
      { msg: 'three', time: EARLIER + 2 },
    ]);
    const row = (i: number) => page.locator('#log .row .msg').nth(i);
    const [from, to] = [await row(0).boundingBox(), await row(1).boundingBox()];
    if (!from || !to) throw new Error('no rows');
    await page.mouse.move(from.x + 2, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(to.x + 40, to.y + 10, { steps: 5 });
    await page.mouse.up();
    await sees(page, 'HELD');
    await page.keyboard.press('Control+c');
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
    expect(copied[0]).toMatch(/^2026-01-01T12:00:00.000Z INF test logs:test\d+ one$/);
    expect(copied[1]).toMatch(/WRN .* end$/);
    expect(copied.length).toBe(2);
  });

  it('copies the whole list after Ctrl+A, not only the rows on screen', async () => {
    const { page } = await shown(lines(300).map(({ msg }) => ({ msg, time: EARLIER })));
    await lastRow(page, 'line 299');
    await page.locator('#log').focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Control+c');
    let copied: string[] = [];
    await eventually('all are copied', async () => {
      copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
      return copied.length === 300;
    });
    expect(copied[0]).toMatch(/^2026-01-01T12:00:00.000Z INF test logs:test\d+ line 0$/);
    expect(copied.at(-1)).toMatch(/ line 299$/);
  });

  it('shows hostile text as text, in rows and detail alike', async () => {
    const hostile = [
      '<img src=x onerror="document.title=1">',
      '</script><script>document.title=1</script>',
      '\u001b[31mred\u001b[0m \u001b]0;title\u0007 plain',
      'user\u202etxt.exe \u2066x',
      'nul\u0000 bell\u0007 half\ud800',
      '\n\nevent: forged\ndata: {}\n\n',
      'x'.repeat(1_000_000),
    ];
    const { page } = await shown(
      hostile.map((msg) => ({ msg, source: '<b>source</b>', attrs: { '<i>': msg.slice(0, 90) } })),
    );
    await eventually('all are shown', async () => (await messages(page)).length === hostile.length);
    const seen = await messages(page);
    expect(seen[0]).toBe(hostile[0]);
    expect(seen[1]).toBe(hostile[1]);
    expect(seen[2]).toBe('red  plain');
    expect(await page.locator('#log .fg1').innerText()).toBe('red');
    const color = (selector: string) =>
      page.locator(selector).evaluate((each) => getComputedStyle(each).color);
    const plain = await color('#log .row:has(.fg1) .msg');
    await eventually('it is red', async () => (await color('#log .fg1')) !== plain);
    expect(seen[3]).toBe('user⍰txt.exe ⍰x');
    expect(seen[4]).toMatch(/^nul␀ bell␇ half/);
    expect(seen[5]).toContain('event: forged');
    for (let i = 0; i < hostile.length; i++) {
      await page.locator('#log .row').nth(i).click();
      await page.getByRole('region', { name: 'Entry detail' }).waitFor();
      await page.keyboard.press('Escape');
    }
    expect(await page.title()).toBe('LLM Streamer');
    expect(await page.locator('#main img, #main script, #main i:not(.msg i)').count()).toBe(0);
    await sees(page, 'lost 0 /');
  });
});

describe('the URL is the view', () => {
  it('a link restores channels, filter, level, time, wrap and theme; back undoes a step', async () => {
    const { page, channel } = await shown(
      [{ msg: 'one' }, { msg: 'two', level: 'warn' }],
      '&level=warn&time=utc&wrap=1&theme=light',
    );
    await shows(page, ['two']);
    expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
    await filterBy(page, 'nothing');
    await shows(page, []);
    await page.goBack();
    await shows(page, ['two']);
    expect(new URL(page.url()).searchParams.get('channels')).toBe(channel);
  });

  it('shows which values of a link are not possible', async () => {
    // A notice disappears after a while, so this script collects all notices.
    const init = `addEventListener('DOMContentLoaded', () => {
      globalThis.notices = '';
      new MutationObserver(() => {
        globalThis.notices += document.querySelector('.notice')?.textContent ?? '';
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    })`;
    const page = await openPage(browser, `${gateway.url}/?channels=logs'x&level=loud&tail=-5`, { init });
    await eventually('it is said', () =>
      page.evaluate(() =>
        (globalThis as unknown as { notices: string }).notices.includes(
          "not possible: channels=logs'x, level=loud, tail=-5",
        ),
      ),
    );
  });

  it('copies a curl line that gives the same stream in a terminal', async () => {
    const { page } = await shown(
      [{ msg: 'here' }, { msg: 'not this', level: 'debug' }],
      '&q=level:info%2B+-never',
    );
    await page.getByRole('button', { name: 'curl' }).click();
    await sees(page, 'curl line copied, without what the gateway cannot filter: -never');
    const line = await page.evaluate(() => navigator.clipboard.readText());
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      `${line.replace('curl -N', 'curl -sN -m 1')} || true`,
    ]);
    expect(stdout).toContain('"msg":"here"');
    expect(stdout).not.toContain('not this');
  });

  it('exports what is shown as NDJSON with UTC times', async () => {
    const { page } = await shown(
      [
        { msg: 'kept', time: 1_795_000_000_000 },
        { msg: 'hidden', level: 'debug' },
      ],
      '&level=info',
    );
    await shows(page, ['kept']);
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
    const text = await readFile(await download.path(), 'utf8');
    const rows = text
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row));
    expect(rows).toMatchObject([{ msg: 'kept', time: new Date(1_795_000_000_000).toISOString() }]);
  });

  it('exports a time range from the server, more than the page holds', async () => {
    const now = Date.now();
    const { page } = await shown(
      lines(50).map(({ msg }) => ({ msg, time: now })),
      `&tail=5&range=${now - 60_000}..${now + 60_000}`,
    );
    await sees(page, 'kept');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
    const text = await readFile(await download.path(), 'utf8');
    expect(text.trim().split('\n').length).toBe(50);
  });
});

describe('channels', () => {
  it('are listed with their activity and toggled by a click', async () => {
    await gateway.publish(
      { channel: 'events:list', msg: 'on the list' },
      { channel: 'logs:other', msg: 'on the other' },
    );
    const page = await openPage(browser, `${gateway.url}/?channels=events:list`);
    await shows(page, ['on the list']);
    await page.getByRole('button', { name: 'events:list' }).click();
    await page.getByRole('button', { name: /logs:other/ }).click();
    await eventually('both are shown', async () => (await messages(page)).length === 2);
    expect(page.url()).toContain('channels=events:list,logs:other');
    await page.getByRole('button', { name: /^✓ events:list/ }).click();
    await shows(page, ['on the other']);
  });

  it('that are empty show a curl command that works when pasted', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=empty:*`);
    const line = await page.locator('.empty pre').first().innerText();
    await promisify(execFile)('sh', ['-c', line]);
    await lastRow(page, 'hello');
  });

  it.each(['runs:mine', 'conversations:*'])(
    'that only runs may write, as %s, show a command that starts a run',
    async (pattern) => {
      const page = await openPage(browser, `${gateway.url}/?channels=${pattern}`);
      const line = await page.locator('.empty pre').first().innerText();
      await promisify(execFile)('sh', ['-c', line]);
      await eventually('its entries are shown', async () => (await messages(page)).length > 0);
    },
  );

  it('whose names are invalid are shown as such, and stay in the link', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=no%20channel`);
    await sees(page, 'no channel: no channel');
    await page.keyboard.press('T');
    await eventually('the time is UTC', () => page.url().includes('time=utc'));
    expect(new URL(page.url()).searchParams.get('channels')).toBe('no channel');
  });
});
