// The mark in the top line and the list of the alerts that fire: seen whatever channels are shown, and each leads to its cause.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { serious } from './support/axe.ts';
import { lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';
import { ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const alert = (id: string, fields: Record<string, unknown> = {}) => ({
  alert: id,
  rule: 'memory',
  text: `${id} is out of memory`,
  level: 'error',
  since: Date.now() - 65_000,
  ...fields,
});

const mark = (page: Page) => page.getByRole('button', { name: /alerts? fires?/ });

describe('where the gateway answers which alerts fire', () => {
  let gateway: ScriptedGateway;
  beforeEach(async () => {
    gateway = await ScriptedGateway.ofTest();
    gateway.alerts = { status: 200, body: { alerts: [alert('gpu-7'), alert('gpu-3', { level: 'warn' })] } };
  });

  it.each([
    [403, {}],
    [404, {}],
    [200, { rules: false, alerts: [] }],
  ])('a gateway that answers %s %j has no mark, and is asked once for each stream', async (status, body) => {
    gateway.alerts = { status, body };
    const page = await openPage(browser, `${gateway.url}/?channels=logs`, {
      before: (fresh) => fresh.clock.install(),
    });
    await sees(page, 'LIVE');
    await eventually('it was asked', () => gateway.alertsAsked === 1);
    gateway.write(gateway.entry('x', { channel: 'events:alerts', event: 'alert.firing' }).text);
    gateway.send(['seen']);
    await lastRow(page, 'seen');
    await page.clock.runFor(60_000);
    gateway.send(['seen later']);
    await lastRow(page, 'seen later');
    expect(gateway.alertsAsked).toBe(1);
    gateway.cut();
    await eventually('it was asked again', () => gateway.alertsAsked === 2);
    expect(await mark(page).count()).toBe(0);
    await page.keyboard.press('a');
    await sees(page, 'no rules for alerts here');
    expect(await page.title()).toBe('LLM Streamer');
  });

  it('an entry of an alert in the view changes the mark at once, and the title with it', async () => {
    const page = await openPage(browser, gateway.url);
    await mark(page).getByText('▲ 2').waitFor();
    gateway.alerts.body = { alerts: [alert('gpu-3', { level: 'warn' })] };
    gateway.write(gateway.entry('fine again', { channel: 'events:alerts', event: 'alert.resolved' }).text);
    await mark(page).getByText('▲ 1').waitFor();
    expect(await page.title()).toBe('▲ 1 · LLM Streamer');
    gateway.alerts.body = { alerts: [] };
    gateway.write(gateway.entry('fine again', { channel: 'events:alerts', event: 'alert.resolved' }).text);
    await mark(page).getByText('▲ 0').waitFor();
    expect(await page.title()).toBe('LLM Streamer');
  });

  it('a view without the entries of alerts hears of them within five seconds', async () => {
    gateway.alerts.body = { alerts: [] };
    const page = await openPage(browser, `${gateway.url}/?channels=logs`, {
      before: (fresh) => fresh.clock.install(),
    });
    await eventually('it was asked', () => gateway.alertsAsked > 0);
    // From here on the page's time stands still, but for what runs.
    await page.clock.pauseAt(Date.now() + 60_000);
    for (let i = 0; i < 4; i++) {
      const answered = page.waitForResponse('**/api/alerts');
      await page.clock.runFor(5_000);
      await (await answered).finished();
    }
    await page.clock.resume();
    gateway.alerts.body = { alerts: [alert('gpu-7')] };
    await mark(page).getByText('▲ 1').waitFor();
    await eventually('a screen reader is told', async () =>
      (await page.locator('.alerts [role="status"]').innerText()).includes(
        '1 alert fires: gpu-7 is out of memory',
      ),
    );
  });

  it('while the gateway gives no answer the last ones stay, and the list says so', async () => {
    const page = await openPage(browser, gateway.url);
    await mark(page).click();
    gateway.alerts = { status: 503 };
    gateway.write(gateway.entry('x', { channel: 'events:alerts', event: 'alert.firing' }).text);
    await sees(page, 'the gateway does not answer');
    expect(await page.locator('.alerts li').count()).toBe(2);
  });

  it('a first question without an answer is asked again', async () => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs`, {
      before: (fresh) =>
        fresh.route('**/api/alerts', (route) => route.abort('connectionrefused'), { times: 1 }),
    });
    await sees(page, 'LIVE');
    await mark(page).getByText('▲ 2').waitFor();
  });

  it('a mark that cannot be loaded is missed aloud, and comes with the next stream', async () => {
    const page = await openPage(browser, gateway.url, {
      before: (fresh) => fresh.route('**/assets/mark-*.js', (route) => route.abort('connectionrefused')),
    });
    await sees(page, 'the list of alerts could not be loaded');
    await page.unrouteAll();
    gateway.cut();
    await mark(page).getByText('▲ 2').waitFor();
  });

  it('hostile texts are shown as text', async () => {
    const text = '<img src=x onerror="document.title=1"> \u202e';
    gateway.alerts.body = { alerts: [alert(text, { text, rule: text, group: { [text]: text } })] };
    const page = await openPage(browser, gateway.url);
    await mark(page).click();
    await sees(page, '<img src=x onerror');
    expect(await page.locator('.alerts img').count()).toBe(0);
  });

  it('the list opens, moves and closes by keys', async () => {
    const page = await openPage(browser, gateway.url);
    await mark(page).waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '');
    await page.keyboard.press('a');
    await eventually('the worst has the focus', async () => (await focused()).includes('gpu-7'));
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toContain('gpu-3');
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toContain('gpu-7');
    await page.keyboard.press('Escape');
    expect(await focused()).toContain('▲ 2');
    expect(await page.locator('.alerts li').count()).toBe(0);
  });

  describe('while none fires', () => {
    const test = (page: Page) => page.getByRole('button', { name: 'test destinations' });
    beforeEach(() => {
      gateway.alerts.body = { alerts: [] };
    });

    it('a mark says that there are rules, the list opens by its key, and has a test of the destinations', async () => {
      const page = await openPage(browser, gateway.url);
      await page.getByRole('button', { name: '0 alerts fire' }).waitFor();
      const answers = [
        {
          json: {
            destinations: [
              { name: 'ops', delivered: true },
              { name: 'phone', delivered: false, problem: 'it answered 500' },
            ],
          },
        },
        { status: 429, json: { code: 'rate_limited', detail: 'destinations were tested a moment ago' } },
      ];
      await page.route('**/api/alerts/test', (route) => route.fulfill(answers.shift()));
      await eventually('the list', async () => {
        if ((await test(page).count()) === 0) await page.keyboard.press('a');
        return (await test(page).count()) > 0;
      });
      await page.keyboard.press('Enter'); // it has the focus
      await sees(page, 'ops: delivered · phone: it answered 500');
      await test(page).click();
      await sees(page, 'destinations were tested a moment ago');
      expect(await serious(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await eventually('the list is closed', async () => (await test(page).count()) === 0);
    });

    it('who is no admin where people sign in has no test', async () => {
      const grants = { read: ['*'], publish: [], run: false, metrics: false, admin: false };
      gateway.profile = { name: 'bob', kind: 'user', owner: 'bob', grants, session: 's', auth: 'on' };
      gateway.alerts.body = { alerts: [alert('gpu-7')] };
      const page = await openPage(browser, gateway.url);
      await mark(page).click();
      await page.locator('.alerts li').first().waitFor();
      expect(await test(page).count()).toBe(0);
    });
  });

  it.each([
    ['dark', 1280],
    ['light', 360],
  ])('axe finds nothing serious in the open list: %s, %i px', async (theme, width) => {
    const page = await openPage(browser, `${gateway.url}/?theme=${theme}`, { width });
    await mark(page).click();
    await page.locator('.alerts li').first().waitFor();
    expect(await serious(page)).toEqual([]);
    const box = await page.locator('.alerts section').boundingBox();
    expect(box && box.x >= 0 && box.x + box.width <= width).toBe(true);
  });
});

describe('an alert leads to', () => {
  it('the entry that made it fire, on a channel that is not shown, or far back on the channel that is', async () => {
    const gateway = await startGateway();
    try {
      const [far] = await gateway.publish(
        { channel: 'logs:gpu', msg: 'CUDA out of memory', level: 'error' },
        ...lines(900),
      );
      const [here] = await gateway.publish({ channel: 'logs', msg: 'too many requests' }, ...lines(50, 900));
      const alerts = [
        alert('far', { since: Date.now(), cause_channel: 'logs:gpu', cause_id: far }),
        alert('here', { cause_channel: 'logs', cause_id: here }),
        alert('nobody', { level: 'warn' }),
      ];
      const page = await openPage(browser, `${gateway.url}/?channels=logs`, {
        before: (fresh) =>
          fresh.route('**/api/alerts', (route) => route.fulfill({ json: { rules: true, alerts } })),
      });
      await lastRow(page, 'line 949');
      const follow = async (id: string) => {
        await mark(page).click();
        await page.locator('.alerts li button', { hasText: `${id} is out` }).click();
      };
      await follow('here');
      await page.locator('#detail', { hasText: 'too many requests' }).waitFor();
      expect(page.url()).toContain(`at=${here}`);
      await follow('far');
      await page.locator('#detail', { hasText: 'CUDA out of memory' }).waitFor();
      expect(page.url()).toContain('channels=logs:gpu');
      await page.goBack();
      await eventually('back is where it was', () => page.url().includes('channels=logs&'));
      await follow('nobody');
      await eventually('its own entries are shown', () => page.url().includes('channels=events:alerts'));
      await page.goto(`${gateway.url}/?channels=logs&t=a-run`);
      await follow('here');
      await eventually('the picture of the run is closed', () => !page.url().includes('t=a-run'));
      await page.locator('#detail', { hasText: 'too many requests' }).waitFor();
    } finally {
      await gateway.stop();
    }
  });
});
