// Who may send by the protocols of log shippers: keys in the form of each protocol, for the channels that they may write, under the
// source that is theirs; and programs under any name of the gateway, but no page.

import { afterEach, describe, expect, it } from 'vitest';
import { openGateway } from '../../../test-support/gateway.ts';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { stored } from '../otlp/requests.ts';
import { dockerEvents, lokiPush, send } from '../shippers/requests.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function guarded(mode: string, publish: string[] = ['logs:web'], source?: string) {
  const store = FileAuthStore.inMemory();
  const { id, key, digest } = makeApiKey();
  await store.addKey({
    id,
    digest,
    name: 'shipper',
    grants: { read: [], publish, run: false, metrics: false, admin: false },
    ...(source !== undefined && { source }),
    created: Date.now(),
    expires: Date.now() + 3_600_000,
    lastUsed: 0,
  });
  const gateway = await openGateway({ AUTH: mode }, {}, store);
  closing.push(() => gateway.close());
  return { gateway, key };
}

const NS = '1795928628573227000';
const LOKI = { 'content-type': 'application/json' };
const PUSH = lokiPush({ labels: { app: 'web' }, values: [[NS, 'x']] });
const basic = (key: string) => `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}`;

describe('where people sign in', () => {
  it('nobody sends without a key, and the refusal has the form of the protocol', async () => {
    const { gateway } = await guarded('on');
    expect(await send(`${gateway.url}/services/collector`, dockerEvents(['x']))).toMatchObject({
      status: 401,
      text: '{"text":"Token is required","code":2}',
    });
    const wrong = { authorization: 'Splunk lls_wrong' };
    const refused = await send(`${gateway.url}/services/collector`, dockerEvents(['x']), wrong);
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([403, { code: 4 }]);
    for (const headers of [LOKI, { ...LOKI, authorization: 'Bearer lls_wrong' }])
      expect(await send(`${gateway.url}/loki/api/v1/push`, PUSH, headers)).toMatchObject({
        status: 401,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      });
    expect(await stored(gateway.broker, ['logs:web'])).toEqual([]);
  });

  it("a key is Splunk's token, or the password of Basic", async () => {
    const { gateway, key } = await guarded('on');
    const splunk = { authorization: `Splunk ${key}` };
    expect(await send(`${gateway.url}/services/collector`, dockerEvents(['a']), splunk)).toMatchObject({
      status: 200,
    });
    const loki = { ...LOKI, authorization: basic(key) };
    expect(await send(`${gateway.url}/loki/api/v1/push`, PUSH, loki)).toMatchObject({ status: 204 });
    expect((await stored(gateway.broker, ['logs:web'])).map(({ msg }) => msg)).toEqual(['a', 'x']);
  });

  it('the check of Docker and the health need none', async () => {
    const { gateway } = await guarded('on');
    expect((await send(`${gateway.url}/services/collector/event/1.0`, '', {}, 'OPTIONS')).status).toBe(200);
    expect((await send(`${gateway.url}/services/collector/health`, '', {}, 'GET')).status).toBe(200);
  });

  it('entries for other channels are refused, and the others are stored', async () => {
    const { gateway, key } = await guarded('on');
    const other = lokiPush(
      { labels: { app: 'web' }, values: [[NS, 'mine']] },
      { labels: { app: 'db' }, values: [[NS, 'theirs']] },
    );
    expect(
      await send(`${gateway.url}/loki/api/v1/push`, other, { ...LOKI, authorization: basic(key) }),
    ).toMatchObject({
      status: 403,
      text: '1 of 2 entries refused: you may not write to logs:db; the other 1 are stored\n',
    });
    const forbidden = await send(`${gateway.url}/services/collector`, dockerEvents(['x'], { tag: 'db' }), {
      authorization: `Splunk ${key}`,
    });
    expect([forbidden.status, JSON.parse(forbidden.text)]).toMatchObject([403, { code: 7 }]);
    expect(
      (await stored(gateway.broker, ['*'])).filter(({ channel }) => channel !== 'logs:gateway'),
    ).toMatchObject([{ msg: 'mine' }]);
  });

  it.each(['web-7', 'http'])('entries have the source of the key: %s', async (own) => {
    const { gateway, key } = await guarded('on', ['logs:web'], own);
    await send(`${gateway.url}/services/collector`, dockerEvents(['a']), { authorization: `Splunk ${key}` });
    await send(`${gateway.url}/loki/api/v1/push`, PUSH, { ...LOKI, authorization: basic(key) });
    expect((await stored(gateway.broker, ['logs:web'])).map(({ source }) => source)).toEqual([own, own]);
  });

  it('with AUTH=report everything is taken', async () => {
    const { gateway } = await guarded('report');
    expect(await send(`${gateway.url}/services/collector`, dockerEvents(['x'], { tag: 'db' }))).toMatchObject(
      { status: 200 },
    );
    expect(await send(`${gateway.url}/loki/api/v1/push`, PUSH, LOKI)).toMatchObject({ status: 204 });
  });
});

describe.each([
  ['/services/collector/event', dockerEvents(['x']), 200],
  ['/loki/api/v1/push', PUSH, 204],
  ['/api/publish', '{"channel":"logs:web","msg":"x"}', 200],
])('%s', (path, body, status) => {
  it('takes what a program in another container sends, and nothing from a page', async () => {
    const gateway = await openGateway();
    closing.push(() => gateway.close());
    const url = `${gateway.url}${path}`;
    expect((await send(url, body, { ...LOKI, host: 'gateway:8000' })).status).toBe(status);
    const rebound = { ...LOKI, host: 'evil.example', origin: 'http://evil.example' };
    expect((await send(url, body, rebound)).status).toBe(403);
    expect((await send(url, body, { ...LOKI, origin: 'http://evil.example' })).status).toBe(403);
    expect(
      (await send(url, body, { ...LOKI, host: 'evil.example', 'sec-fetch-site': 'same-origin' })).status,
    ).toBe(403);
  });
});
