// The stream: it always reconnects, the page shows why it is not live, and all tabs with the same query share one
// stream.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees } from './support/page.ts';
import { frame, ScriptedGateway } from './support/scripted-gateway.ts';
import { Tab } from './support/tab.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each([
  ['through the SharedWorker', ''],
  ['with a connection of its own', '?shared=0'],
])('the link, %s', (_name, search) => {
  let gateway: ScriptedGateway;
  beforeEach(async () => {
    gateway = await ScriptedGateway.ofTest();
  });

  it('tries again after a status other than 200, and shows the server’s sentence', async () => {
    gateway.answer = (response) => {
      // Longer than this test waits, so that the retry is the reader's click.
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '3600' });
      response.end(
        JSON.stringify({
          title: 'Unavailable',
          detail: 'the log cannot be reached',
          code: 'broker_unavailable',
        }),
      );
    };
    const page = await openPage(browser, `${gateway.url}/${search}`);
    await sees(page, /RETRYING in \d{4} s/);
    await sees(page, '503: the log cannot be reached');
    gateway.answer = (response) => gateway.greet(response);
    await page.getByRole('button', { name: 'now', exact: true }).click();
    await sees(page, 'LIVE');
  });

  it('shows why the gateway closed the stream, and comes back after the pause that it asked for', async () => {
    const page = await openPage(browser, `${gateway.url}/${search}`);
    await sees(page, 'LIVE');
    gateway.write(frame('bye', { code: 'over_limit', message: 'too many viewers', retry: 600 }));
    for (const stream of gateway.streams) stream.end();
    await sees(page, 'too many viewers');
    await eventually('it came back by itself', () => gateway.requests.length === 2);
    await sees(page, 'LIVE');
  });

  it('closed at each attempt, tries less and less often and shows one row for all attempts', async () => {
    const bye = { code: 'over_limit', message: 'too many viewers', retry: 100 };
    gateway.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(frame('bye', bye));
    };
    const page = await openPage(browser, `${gateway.url}/${search}`);
    await sees(page, 'the gateway: too many viewers');
    gateway.answer = (response) => {
      gateway.greet(response, { isLive: false });
      response.end(frame('bye', bye));
    };
    const now = page.getByRole('button', { name: 'now', exact: true });
    await eventually('the pause has grown', async () => {
      if (await now.isVisible()) await now.click({ timeout: 1_000 });
      const row = (await messages(page)).at(-1) ?? '';
      return (
        /RETRYING in \d\d s/.test(await page.locator('#bar').innerText()) &&
        /the gateway gw-scripted: too many viewers · \d+ times$/.test(row)
      );
    });
    expect((await messages(page)).filter((msg) => msg.includes('gw-scripted')).length).toBe(1);
  });

  it('retries at once when the network is back', async () => {
    // Longer than this test waits, so that only the event can cause the attempt.
    gateway.answer = (response) => response.writeHead(503, { 'retry-after': '3600' }).end();
    const page = await openPage(browser, `${gateway.url}/${search}`);
    await sees(page, /RETRYING in \d{4} s/);
    gateway.answer = (response) => gateway.greet(response);
    const before = gateway.requests.length;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually('it tried again', () => gateway.requests.length > before);
    await sees(page, 'LIVE');
  });
});

it('counts no replayed entry as lag', async () => {
  const gateway = await ScriptedGateway.ofTest();
  gateway.answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const hello = { gateway: 'gw', resumed: false, count: 0, keepalive: 60_000, now: Date.now() };
    const old = gateway.entry('old').data;
    const id = `${Date.now() - 600_000}-1`;
    response.write(
      `${frame('hello', hello)}id: ${id}\ndata: ${JSON.stringify({ ...old, id })}\n\n${frame('live', { replayed: 1 }, id)}`,
    );
  };
  const page = await openPage(browser, gateway.url);
  await lastRow(page, 'old');
  await sees(page, /LIVE \d+ms/);
});

describe('the watchdog', () => {
  it('ends a silent connection, and keeps an idle one that still gets pings', async () => {
    const gateway = await ScriptedGateway.ofTest();
    gateway.answer = (response) => gateway.greet(response, { keepalive: 200 });
    const page = await openPage(browser, gateway.url);
    await sees(page, 'LIVE');
    const pings = setInterval(() => gateway.ping(), 200);
    // Longer than the watchdog waits: only pings arrive, and the first connection must still be open.
    await eventually(
      'pings were compared',
      async () =>
        (await page.locator('.ledger').getAttribute('title'))?.match(/checked (1[6-9]|[2-9]\d) times/) !==
        null,
    );
    expect(gateway.requests.length).toBe(1);
    clearInterval(pings);
    await sees(page, /nothing heard for \d+ s|CONNECTING|RETRYING/);
    await eventually('it connected anew', () => gateway.requests.length >= 2);
  });
});

describe('tabs', () => {
  let gateway: Gateway;
  let tests = 0;
  /** A channel of its own for each test. */
  let channel: string;
  beforeEach(() => {
    channel = `logs:tabs${++tests}`;
  });
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.stop());

  it('with the same query share one stream, and the ledger of each agrees', async () => {
    const first = await openPage(browser, `${gateway.url}/?channels=${channel}`);
    await gateway.publish({ channel, msg: 'one' });
    await lastRow(first, 'one');
    const second = await first.context().newPage();
    await second.goto(`${gateway.url}/?channels=${channel}`);
    await lastRow(second, 'one');
    await gateway.publish({ channel, msg: 'two' });
    for (const page of [first, second]) {
      // The browser paints only the tab in front.
      await page.bringToFront();
      await lastRow(page, 'two');
      await sees(page, 'lost 0 / 2 ✓');
    }
    await eventually('one connection', async () => (await gateway.health()).connections === 1);
    await first.close();
    await gateway.publish({ channel, msg: 'three' });
    await lastRow(second, 'three');
    await eventually('one connection', async () => (await gateway.health()).connections === 1);
    await second.close();
    await eventually(
      'the stream is left with its last tab',
      async () => (await gateway.health()).connections === 0,
    );
  });

  it.each([
    ['sharing streams', '', ['a', 'b', 'c']],
    ['where streams cannot be shared', '&shared=0', ['a', 'a', 'a']],
  ])('are warned before the browser’s connections run out, %s', async (_name, search, others) => {
    const first = await openPage(browser, `${gateway.url}/?channels=${channel}${search}`);
    for (const other of others) {
      const page = await first.context().newPage();
      await page.goto(`${gateway.url}/?channels=${other}${search}`);
      await sees(page, 'LIVE');
    }
    await first.bringToFront();
    await sees(first, '4 of 6 connections in use');
  });

  it('that are hidden receive all entries and paint nothing until they are in front', async () => {
    const tab = await Tab.open(browser, `${gateway.url}/?channels=${channel}`);
    const text = () => tab.read<string>('document.body.innerText');
    const rows = () => tab.read<number>("document.querySelectorAll('#log .row .msg:not(:empty)').length");
    await eventually('it is live', async () => (await text()).includes('LIVE'));
    const other = await Tab.open(browser, 'about:blank');
    await other.toFront();
    await eventually(
      'it is hidden',
      async () => (await tab.read<string>('document.visibilityState')) === 'hidden',
    );
    await gateway.publish(...lines(3_000, 0, { channel }));
    await eventually('it has all', async () => (await text()).includes('lost 0 / 3,000 ✓'));
    expect(await rows()).toBe(0);
    await tab.toFront();
    await eventually('it shows the last', async () => (await text()).includes('line 2999'));
  });
});
