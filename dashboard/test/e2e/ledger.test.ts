// The ledger: it compares the counts at each ping, and each gap is a row that says its reason and can be loaded in
// place.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type Gateway, lines, startGateway } from './support/gateway.ts';
import { eventually, lastRow, messages, openPage, sees, status } from './support/page.ts';
import { frame, ScriptedGateway } from './support/scripted-gateway.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe('the ledger, against a gateway that loses things', () => {
  let gateway: ScriptedGateway;
  beforeEach(async () => {
    gateway = await ScriptedGateway.ofTest();
  });

  const open = async () => {
    const page = await openPage(browser, gateway.url);
    await sees(page, 'LIVE');
    return page;
  };

  it('shows ✓ only after a comparison', async () => {
    const page = await open();
    gateway.send(['a', 'b', 'c']);
    await sees(page, 'lost 0 / 3');
    expect(await status(page)).not.toContain('✓');
    gateway.ping();
    await sees(page, 'lost 0 / 3 ✓');
  });

  it('shows entries that were sent and did not arrive as a gap of that size, and loads them in place', async () => {
    const page = await open();
    gateway.send(['a', 'b', 'c', 'd'], ['b', 'c']);
    gateway.entries = { entries: [gateway.entry('b').data, gateway.entry('c').data], gaps: [], done: true };
    gateway.ping();
    gateway.send(['e']);
    await sees(page, 'lost 2 / 3');
    await sees(page, '2 entries · lost on the way');
    await page.getByRole('button', { name: 'load' }).click();
    await eventually('the lost entries are there', async () => (await messages(page)).join() === 'a,d,b,c,e');
    await sees(page, 'lost 0 / 3');
  });

  it.each([
    ['trimmed', 'the channel keeps no more'],
    ['expired', 'idle too long'],
    ['reset', 'wiped or replaced'],
    ['rollback', 'failover or restore'],
    ['not_stored', 'never stored'],
  ])('a gap of reason %s is a row that says so', async (reason, words) => {
    const page = await open();
    gateway.write(
      frame('gap', { channel: 'logs', after: '1000-1', before: '2000-9', reason, missed: 412 }, '2000-8'),
    );
    await sees(page, new RegExp(`412 entries · .*${words}`));
    await sees(page, 'lost 412 / 0');
  });

  it('never shows a gap of unknown size as 0', async () => {
    const page = await open();
    gateway.write(
      frame('gap', { channel: null, after: '1-1', before: '2-9', reason: 'reset', missed: null }),
    );
    await sees(page, 'lost 0 + 1 of unknown size / 0');
    await sees(page, 'an unknown number of entries');
  });

  it('a connection that the gateway does not resume leaves a gap of unknown size', async () => {
    const page = await open();
    gateway.send(['a']);
    await lastRow(page, 'a');
    gateway.cut();
    await eventually('it reconnected', () => gateway.requests.length === 2);
    expect(gateway.requests[1]?.headers['last-event-id']).toMatch(/^\d+-\d+$/);
    gateway.send(['b']);
    await sees(page, 'missed while reconnecting');
    await sees(page, 'lost 0 + 1 of unknown size / 2');
    // The gap and the mark of the reconnect do not count as entries.
    await sees(page, '2 kept');
  });

  it('counts a gap once that a resumed stream reports again', async () => {
    const page = await open();
    const gap = { channel: 'logs', after: '1-1', before: '9-900000', reason: 'trimmed', missed: null };
    gateway.write(frame('gap', gap));
    gateway.send(['a']);
    await sees(page, 'lost 0 + 1 of unknown size / 1');
    gateway.answer = (response) => gateway.greet(response, { resumed: true });
    gateway.cut();
    await eventually('it reconnected', () => gateway.requests.length === 2);
    gateway.write(frame('gap', { ...gap, after: '2-2' }));
    gateway.write(frame('gap', { ...gap, channel: 'other' }));
    gateway.send(['b']);
    await sees(page, 'lost 0 + 2 of unknown size / 2');
  });

  it('keeps every entry that the page has no room for in a gap', async () => {
    const page = await open();
    const entries = Array.from({ length: 31_000 }, (_, i) => gateway.entry(`old ${i}`).data);
    gateway.entries = { entries, gaps: [], done: true };
    const gap = { channel: 'logs', after: '1-1', before: '2-99999', reason: 'trimmed', missed: 31_000 };
    gateway.write(frame('gap', gap));
    await page.getByRole('button', { name: 'load' }).click();
    await sees(page, 'lost 1,000 / 0');
    await sees(page, /1,000 entries .* no room for more of it/);
    await sees(page, '30,000 kept');
    await page.keyboard.press('g');
    await eventually('from its first entry on', async () => (await messages(page))[0] === 'old 0');
  });

  it('says when the log has no more entries of a gap', async () => {
    const page = await open();
    gateway.entries = {
      entries: [],
      gaps: [{ channel: 'logs', after: '1-1', before: '2-9', reason: 'trimmed', missed: 7 }],
      done: true,
    };
    gateway.write(
      frame('gap', { channel: 'logs', after: '1-1', before: '2-9', reason: 'trimmed', missed: 7 }, '2-8'),
    );
    await page.getByRole('button', { name: 'load' }).click();
    await sees(page, 'gone from the log (trimmed)');
    await sees(page, 'lost 7 / 0');
  });
});

describe('the ledger, against the real gateway over a network that breaks', () => {
  let gateway: Gateway;
  let network: Network;
  beforeAll(async () => {
    gateway = await startGateway({ RETENTION_ENTRIES: '1000' });
    network = await new Network(new URL(gateway.url).port).start();
  });
  afterAll(async () => {
    network.stop();
    await gateway.stop();
  });

  it('loses nothing over broken connections, and proves it', async () => {
    const page = await openPage(browser, `${network.url}/?channels=logs`);
    await sees(page, 'LIVE');
    for (let round = 0; round < 3; round++) {
      await gateway.publish(...lines(100, round * 100));
      network.cut();
      await gateway.publish(...lines(100, round * 100, { channel: 'logs', source: 'meanwhile' }));
      await sees(page, new RegExp(`lost 0 / ${(round + 1) * 200} ✓`));
    }
    expect(await status(page)).not.toContain('unknown');
    await sees(page, /reconnected after [\d.]+ s, \d+ replayed/);
  });

  it('shows a gap for entries that retention dropped while the reader was away', async () => {
    const page = await openPage(browser, `${network.url}/?channels=logs:busy`);
    await sees(page, 'LIVE');
    await gateway.publish({ channel: 'logs:busy', msg: 'before' });
    await lastRow(page, 'before');
    network.isDown = true;
    network.cut();
    await gateway.publish(...lines(2_500, 0, { channel: 'logs:busy' }));
    network.isDown = false;
    // The event of a browser whose network came back; the page may also have reconnected by itself already.
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await sees(page, 'line 2499');
    await page.keyboard.press('g');
    await sees(page, /an unknown number of entries · trimmed: the channel keeps no more · [\d:.]+ – [\d:.]+/);
    await sees(page, /lost 0 \+ 1 of unknown size \/ 1,\d\d\d/);
  });

  it('shows how many entries were evicted from the page, and loads older ones', async () => {
    await gateway.publish(...lines(900, 0, { channel: 'logs:long' }));
    const page = await openPage(browser, `${network.url}/?channels=logs:long&tail=100`);
    await lastRow(page, 'line 899');
    await page.keyboard.press('g');
    await sees(page, 'older than what this page loaded');
    expect(await page.locator('.row.gap .time').innerText(), 'a time of its own').toBe('');
    for (let modes = 0; modes < 3; modes++) await page.keyboard.press('T');
    await eventually('distances', () => page.url().includes('time=delta'));
    const distances = async () => (await page.locator('#log .time').allInnerTexts()).slice(0, 3);
    await eventually('none from what has no time', async () =>
      /^,,\+\d+ms$/.test((await distances()).join()),
    );
    await page.getByRole('button', { name: 'load' }).click();
    await page.keyboard.press('g');
    await eventually('the first line is there', async () => (await messages(page)).includes('line 0'));
    await sees(page, '900 kept');
    await eventually('no gap is left', async () => (await page.locator('.row.gap').count()) === 0);
  });
});

/** A TCP proxy: the network between browser and gateway. */
class Network {
  url = '';
  isDown = false;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((near) => {
    if (this.isDown) {
      near.destroy();
      return;
    }
    const far = connect(this.#port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  });

  constructor(port: string) {
    this.#port = Number(port);
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }
}
