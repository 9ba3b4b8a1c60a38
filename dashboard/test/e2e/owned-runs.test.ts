// The run panel where runs belong to people: one's own are watched, reopened and stopped, another's by a link only if it is shared.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnedGateway, ownedGateway } from '../../../gateway/test/http/owned-gateway.ts';
import { launchChromium } from '../../../test-support/chromium.ts';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { openPage } from './support/page.ts';

let browser: Browser;
let redis: RedisServer;
/** One gateway for each person, as if each had signed in; all have the same log. */
let alice: OwnedGateway;
let carol: OwnedGateway;
let bob: OwnedGateway;

beforeAll(async () => {
  [browser, redis] = await Promise.all([launchChromium(), startRedis()]);
  const env = { REDIS_URL: redis.url, NAMESPACE: randomNamespace(), SSE_KEEPALIVE_MS: '300' };
  [alice, carol, bob] = await Promise.all([
    ownedGateway(env, 400, 'alice'),
    ownedGateway(env, 400, 'carol'),
    ownedGateway(env, 400, 'bob'),
  ]);
});
afterAll(async () => {
  await browser.close();
  for (const gateway of [alice, carol, bob]) await gateway.close();
  await redis.stop();
});

const said = (page: Page) => page.getByLabel('llm-1', { exact: true }).locator('.said').innerText();
const state = (page: Page) => page.getByLabel('llm-1', { exact: true }).locator('.state').innerText();
const hasText = (page: Page) =>
  eventually('a lane has text', async () => (await said(page)).includes('Picture tides'));

const opened = (url: string) => openPage(browser, url);

/** Alice's page with a run that goes on, and the query string of its link. */
async function running(): Promise<{ page: Page; link: string; key: string }> {
  const page = await opened(`${alice.url}/?panel=run`);
  await page.getByLabel('Prompt').fill('Explain tides');
  await page.getByLabel('Prompt').press('Control+Enter');
  await hasText(page);
  const { search, searchParams } = new URL(page.url());
  return { page, link: search, key: searchParams.get('show') ?? '' };
}

describe('a run of an owner', () => {
  it('is watched from its start, survives a reload, and opens by its link only where it is shared', async () => {
    const { page, link, key } = await running();
    expect(key).toMatch(/^alice\/page-/);
    await page.reload();
    await hasText(page);
    await hasText(await opened(`${carol.url}/${link}`));
    const foreign = await opened(`${bob.url}/${link}`);
    await foreign.getByLabel('Prompt').waitFor();
    expect(await foreign.locator('.lane').count()).toBe(0);
    expect(await foreign.getByLabel('Recent runs').count()).toBe(0);
  });

  it('is a picture for its owner by its id alone, and for others it is shared with by its owner, too', async () => {
    const { page, key } = await running();
    await page.close();
    const drawn = (timeline: string, at: OwnedGateway) => opened(`${at.url}/?t=${timeline}`);
    const lanes = (at: Page) => at.locator('#timeline [role="treeitem"] bdi').allInnerTexts();
    for (const [timeline, at] of [
      [key.slice('alice/'.length), alice],
      [key, carol],
    ] as const) {
      const picture = await drawn(timeline, at);
      await eventually('its lanes are drawn', async () => (await lanes(picture)).includes('llm-1'));
      await picture.close();
    }
    const nothing = await drawn(key, bob);
    await nothing.locator('#timeline .notes', { hasText: 'no entries of this run are kept' }).waitFor();
    expect(await lanes(nothing)).not.toContain('llm-1');
  });

  it('is stopped for everyone who watches it, and listed with its owner', async () => {
    const { page, link, key } = await running();
    const shared = await opened(`${carol.url}/${link}`);
    await hasText(shared);
    await page.getByRole('button', { name: 'Stop' }).click();
    await eventually('it is stopped', async () => (await state(page)) === 'stopped');
    await eventually('so it is for who watches it', async () => (await state(shared)) === 'stopped');
    const recent = shared.getByLabel('Recent runs').getByRole('button', { name: key.slice(0, 15) });
    await recent.first().click();
    await eventually('its channel is shown', () =>
      /^runs:alice\/page-/.test(new URL(shared.url()).searchParams.get('channels') ?? ''),
    );
  });
});
