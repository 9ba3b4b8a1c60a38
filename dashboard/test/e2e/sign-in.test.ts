// People on the page, with the real gateway: what each tab holds after one person has signed out and another has signed in, an admin's
// work by keyboard alone, and the ends of sessions.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type GuardedGateway, PASSWORD, startGuardedGateway } from './support/guarded-gateway.ts';
import { eventually, lastRow, openPage, sees } from './support/page.ts';

let browser: Browser;
let gateway: GuardedGateway;
beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGuardedGateway()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const panel = (page: Page) => page.getByRole('form', { name: 'Sign in' });

async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await panel(page).waitFor();
  await page.getByLabel('name', { exact: true }).fill(name);
  await page.getByLabel('password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name, exact: true }).waitFor();
}

async function another(context: BrowserContext, search: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${gateway.url}/${search}`);
  return page;
}

/** Attempts to sign in are counted by name, so each test has people of its own. */
let people = 0;
async function add(role: string): Promise<string> {
  const name = `${role.slice(0, 1)}-person-${++people}`;
  await gateway.asAdmin('POST', 'api/users', { name, password: PASSWORD, role });
  return name;
}

/** All that a tab holds of its own: the document with what is hidden in it, and what it keeps in the browser. */
function held(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const databases = (await indexedDB.databases?.()) ?? [];
    const kept = [sessionStorage, localStorage].map((storage) => JSON.stringify(storage));
    const boxes = [...document.querySelectorAll('textarea, input')].map(
      (box) => (box as HTMLInputElement).value,
    );
    const caches = await globalThis.caches?.keys();
    return [document.documentElement.outerHTML, ...kept, ...boxes, JSON.stringify([databases, caches])].join(
      '\n',
    );
  });
}

describe.each([
  ['through the SharedWorker', ''],
  ['with a connection of its own', '&shared=0'],
])('one person after another in the same browser, %s', (_name, search) => {
  it('37: signed out in one tab, both are empty; the next person finds no line of the first in any of them', async () => {
    const [alice, bob] = [await add('member'), await add('b-reader')];
    const first = await openPage(browser, `${gateway.url}/?channels=logs:a*,logs:b*${search}`);
    await signIn(first, alice);
    await sees(first, 'LIVE');
    const second = await another(
      first.context(),
      `?channels=logs:b*,logs:a*,logs:x*&charts=1&panel=run${search}`,
    );
    const third = await another(first.context(), `?channels=logs:a${search}`);
    await gateway.publish(
      {
        channel: 'logs:a',
        source: 'of-alice',
        msg: 'meant for Alice',
        attrs: { 'gen_ai.request.model': 'alices-model' },
      },
      { channel: 'logs:b', msg: 'for everybody' },
    );
    for (const page of [first, second]) await lastRow(page, 'for everybody');
    await lastRow(third, 'meant for Alice');
    await third.goto('about:blank');
    await second.locator('#charts canvas').first().waitFor();
    await second.getByLabel('Prompt').fill('a question of Alice');
    await second.keyboard.press('Control+Enter');
    await second.locator('.lane').first().waitFor();
    await second.getByText('meant for Alice').first().click();
    await second.getByRole('region', { name: 'Entry detail' }).getByText('meant for Alice').first().waitFor();

    await first.getByRole('button', { name: alice, exact: true }).click();
    await first.getByRole('button', { name: 'sign out' }).click();
    for (const page of [first, second]) {
      await panel(page).waitFor();
      expect(await held(page)).not.toMatch(/meant for Alice|of-alice|alices-model|question of Alice/);
    }

    await signIn(first, bob);
    await second.getByRole('button', { name: bob, exact: true }).waitFor();
    await third.goBack();
    await third.getByRole('button', { name: bob, exact: true }).waitFor();
    const fourth = await another(first.context(), `?channels=logs:a*,logs:b*${search}`);
    await gateway.publish(
      { channel: 'logs:a', msg: 'meant for Alice again' },
      { channel: 'logs:b', msg: 'for Bob, too' },
    );
    for (const page of [first, second, fourth]) {
      await lastRow(page, 'for Bob, too');
      expect(await held(page)).not.toMatch(/meant for Alice|of-alice|alices-model|question of Alice/);
    }
    expect(await held(third)).not.toMatch(/meant for Alice|of-alice/);
    await sees(first, 'narrowed');
  });

  it('the same person goes on in both tabs after another has ended his sessions, with nothing lost', async () => {
    const alice = await add('member');
    const channel = `logs:${alice}`;
    const first = await openPage(browser, `${gateway.url}/?channels=${channel}${search}`);
    await signIn(first, alice);
    const second = await another(first.context(), `?channels=${channel}${search}`);
    await gateway.publish({ channel, msg: 'said first' });
    for (const page of [first, second]) await lastRow(page, 'said first');
    await first.keyboard.press('u');
    await first.getByLabel('old', { exact: true }).fill(PASSWORD);
    await first.getByLabel('new', { exact: true }).fill(`${PASSWORD} 2`);
    await first.getByRole('button', { name: 'change' }).click();
    await sees(first, 'the password is changed');
    await gateway.publish({ channel, msg: 'after' });
    for (const page of [first, second]) {
      await lastRow(page, 'after');
      await sees(page, 'lost 0 / 2');
    }
    await gateway.asAdmin('PATCH', `api/users/${alice}`, { password: PASSWORD });
    await gateway.asAdmin('PATCH', `api/users/${alice}`, { disabled: true });
    for (const page of [first, second]) {
      await panel(page).waitFor();
      await eventually('the lines are gone', async () => !(await held(page)).includes('said first'));
    }
    await gateway.asAdmin('PATCH', `api/users/${alice}`, { disabled: false });
  });
});

it('at sign-out what names somebody’s runs, entries and searches leaves the address, and the rest stays', async () => {
  const alice = await add('member');
  const search = `?channels=logs:a,runs:${alice}/m1&show=${alice}/m1&q=run:${alice}/m1&at=1-1&panel=run&wrap=1`;
  const page = await openPage(browser, `${gateway.url}/${search}`);
  await signIn(page, alice);
  await sees(page, 'LIVE');
  await page.getByRole('button', { name: alice, exact: true }).click();
  await page.getByRole('button', { name: 'sign out' }).click();
  await page.waitForURL(({ href }) => decodeURIComponent(href) === `${gateway.url}/?wrap=1&channels=logs:a`);
  await panel(page).waitFor();
});

it('somebody who may do other things from now on is told so, and keeps his view', async () => {
  const bob = await add('member');
  const page = await openPage(browser, `${gateway.url}/?channels=logs:b&q=for`);
  await signIn(page, bob);
  await sees(page, 'LIVE');
  await gateway.asAdmin('PATCH', `api/users/${bob}`, { role: 'viewer' });
  await sees(page, 'what you may read and do has changed');
  await sees(page, 'LIVE');
  expect(page.url()).toBe(`${gateway.url}/?channels=logs:b&q=for`);
});

it('an EventSource of the page needs nothing but the cookie', async () => {
  const page = await openPage(browser, `${gateway.url}/?channels=logs:d`);
  await signIn(page, await add('viewer'));
  const came = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const source = new EventSource('stream?channels=logs:d&tail=1');
        source.onmessage = ({ data }) => {
          source.close();
          resolve(JSON.parse(data).msg);
        };
      }),
  );
  await gateway.publish({ channel: 'logs:d', msg: 'by cookie' });
  expect(await came).toBe('by cookie');
});

it('everything can be done by keyboard: sign in, add a role and a person, make a key and revoke it, sign out', async () => {
  const page = await openPage(browser, `${gateway.url}/?channels=logs:e`);
  await panel(page).waitFor();
  const type = (text: string) => page.keyboard.type(text);
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      return (
        element?.getAttribute('aria-label') ?? element?.getAttribute('name') ?? element?.textContent ?? ''
      );
    });
  /** Steps with Tab until the focus is on what is wanted. */
  const tabTo = async (what: string) => {
    for (let i = 0; i < 120; i++) {
      if ((await focused()).trim() === what) return;
      await press('Tab');
    }
    throw new Error(`Tab does not reach ${what}; the focus is on ${await focused()}`);
  };
  await type('root');
  await press('Tab');
  await type(PASSWORD);
  await press('Enter');
  await sees(page, 'LIVE');

  await press('U');
  await page.getByRole('heading', { name: 'People, roles, keys' }).waitFor();
  await page.locator('section[aria-label=Roles]').getByText('built in').first().waitFor();
  await tabTo('add a role');
  await press('Enter');
  await tabTo('name');
  await type('team-e');
  await press('Tab');
  await type('logs:e*');
  await press('Enter');
  await page.locator('section[aria-label=Roles] .name').getByText('team-e').waitFor();

  await page.getByRole('heading', { name: 'People, roles, keys' }).focus();
  await tabTo('add a person');
  await press('Enter');
  await tabTo('name');
  await type('eve');
  await press('Tab');
  await type(PASSWORD);
  await press('Tab');
  await type('team-e');
  await tabTo('add');
  await press('Enter');
  await page.locator('section[aria-label=People] .name').getByText('eve').waitFor();
  expect(await page.getByLabel('role of eve').inputValue()).toBe('team-e');
  await page.getByRole('heading', { name: 'People, roles, keys' }).focus();
  await tabTo('disable eve');
  await press('Enter');
  await page.getByRole('button', { name: 'enable eve' }).waitFor();
  await tabTo('delete eve');
  await press('Enter', 'Enter');
  await eventually('eve is gone', async () => (await page.getByLabel('role of eve').count()) === 0);
  expect(await focused()).toBe('people');
  await page.locator('#status button').first().focus();
  await press('Escape');
  await page.getByRole('heading', { name: 'People, roles, keys' }).waitFor({ state: 'detached' });
  await press('u');
  await page.getByRole('heading', { name: 'Me' }).waitFor();
  await tabTo('new key');
  await press('Enter');
  await type('ci');
  await tabTo('publish');
  await type('logs:e*');
  await press('Enter');
  const secret = await page.locator('.secret code').innerText();
  expect(secret).toMatch(/^lls_/);
  const published = await fetch(`${gateway.url}/api/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ channel: 'logs:e', msg: 'with the key' }),
  });
  expect(published.ok).toBe(true);
  await lastRow(page, 'with the key');
  expect(await focused()).toBe('copy');
  await press('Enter');
  await sees(page, 'key copied');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await tabTo('I have kept it');
  await press('Enter');
  await eventually('the key is shown no more', async () => !(await held(page)).includes(secret));
  expect(await focused()).toBe('keys for programs');
  await tabTo('revoke key ci');
  await press('Enter', 'Enter');
  await eventually(
    'it is revoked',
    async () => (await page.getByRole('button', { name: 'revoke key ci' }).count()) === 0,
  );
  await page.getByRole('heading', { name: 'Me' }).focus();
  await tabTo('sign out');
  await press('Enter');
  await panel(page).waitFor();
});

it.each(['', '&shared=0'])(
  'a view of which nothing may be read says so and stops, until it is another one %s',
  async (search) => {
    const bob = await add('b-reader');
    const page = await openPage(browser, `${gateway.url}/?channels=logs:b${search}`);
    await signIn(page, bob);
    await sees(page, 'LIVE');
    await page.goto(`${gateway.url}/?channels=logs:a${search}`);
    await sees(page, 'NOT ALLOWED');
    await sees(page, 'you may not read logs:a');
    await page.getByRole('button', { name: bob, exact: true }).waitFor();
    // What one reloads for: the right may have been given meanwhile.
    await gateway.asAdmin('PATCH', `api/users/${bob}`, { role: 'viewer' });
    await page.reload();
    await sees(page, 'LIVE');
  },
);

it('a person sees his sessions and ends those elsewhere, which are signed out', async () => {
  const here = await openPage(browser, `${gateway.url}/?channels=logs:f`);
  const elsewhere = await openPage(browser, `${gateway.url}/?channels=logs:f`);
  const alice = await add('viewer');
  await signIn(here, alice);
  await signIn(elsewhere, alice);
  await sees(elsewhere, 'LIVE');
  await here.keyboard.press('u');
  await here.getByRole('button', { name: 'end all other sessions' }).click();
  await here.getByRole('button', { name: 'really end all other sessions' }).click();
  await panel(elsewhere).waitFor();
  await eventually(
    'one session is left',
    async () => (await here.getByRole('region', { name: 'My sessions' }).locator('li').count()) === 1,
  );
  await sees(here, 'LIVE');
});

it.each([1200, 390])(
  'what can be done to a person stands in one line of a page %i pixels wide, and nothing that is refused',
  async (width) => {
    const page = await openPage(browser, `${gateway.url}/?channels=logs:g&panel=people`, { width });
    const other = await add('member');
    await signIn(page, 'root');
    const row = page.getByRole('listitem').filter({ hasText: other });
    await row.getByRole('combobox', { name: `role of ${other}` }).waitFor();
    const tops = await row
      .locator('select, button')
      .evaluateAll((all) =>
        all.map((one) => one.getBoundingClientRect()).map(({ y, height }) => y + height / 2),
      );
    expect(tops).toHaveLength(4);
    expect(Math.max(...tops) - Math.min(...tops)).toBeLessThan(8);
    const mine = page.getByRole('listitem').filter({ hasText: /^root me/ });
    expect(await mine.locator('select').count()).toBe(0);
    expect(await mine.getByRole('button').count()).toBe(1);
  },
);

it('a link to the panel of people shows a member himself, under the right heading', async () => {
  const page = await openPage(browser, `${gateway.url}/?channels=logs:h&panel=people`);
  await signIn(page, await add('member'));
  await page.getByRole('heading', { name: 'Me', exact: true }).waitFor();
  await page.getByRole('button', { name: 'sign out' }).waitFor();
  expect(await page.getByRole('heading', { name: 'People, roles, keys' }).count()).toBe(0);
});
