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

describe('a run of an owner', () => {
  it('is watched from its start, survives a reload, opens by its link where it is shared, and is stopped', async () => {
    const page = await openPage(browser, `${alice.url}/?panel=run`);
    await page.getByLabel('Prompt').fill('Explain tides');
    await page.getByLabel('Prompt').press('Control+Enter');
    await hasText(page);
    expect(page.url()).toMatch(/show=alice\/page-/);
    await page.reload();
    await hasText(page);

    const link = new URL(page.url()).search;
    const shared = await openPage(browser, `${carol.url}/${link}`);
    await hasText(shared);
    const foreign = await openPage(browser, `${bob.url}/${link}`);
    await foreign.getByLabel('Prompt').waitFor();
    expect(await foreign.locator('.lane').count()).toBe(0);

    // Its picture: of the owner by its id alone, of others by its owner, too.
    const key = new URLSearchParams(link).get('show') ?? '';
    const drawn = (timeline: string, at: OwnedGateway) => openPage(browser, `${at.url}/?t=${timeline}`);
    const lanes = (at: Page) => at.locator('#timeline [role="treeitem"] bdi').allInnerTexts();
    for (const picture of await Promise.all([drawn(key.slice('alice/'.length), alice), drawn(key, carol)]))
      await eventually('its lanes are drawn', async () => (await lanes(picture)).includes('llm-1'));
    const nothing = await drawn(key, bob);
    await nothing.locator('#timeline .notes', { hasText: 'no entries of this run are kept' }).waitFor();
    expect(await lanes(nothing)).not.toContain('llm-1');

    await page.getByRole('button', { name: 'Stop' }).click();
    await eventually('it is stopped', async () => (await state(page)) === 'stopped');
    await eventually('so it is for who watches it', async () => (await state(shared)) === 'stopped');

    const recent = shared.getByLabel('Recent runs').getByRole('button');
    await eventually('it is listed with its owner', async () =>
      /alice\/page-/.test((await recent.allInnerTexts()).join()),
    );
    await recent.click();
    expect(new URL(shared.url()).searchParams.get('channels')).toMatch(/^runs:alice\/page-/);
    expect(await foreign.getByLabel('Recent runs').count()).toBe(0);
  });
});
