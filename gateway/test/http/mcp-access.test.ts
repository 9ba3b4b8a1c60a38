// What somebody gets by MCP is what he gets by every other route: his own runs, the channels of his grants, and nothing after the end
// of his rights.

import { afterEach, describe, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import type { Grants } from '../../src/auth/principal.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { connect, ERAS, linesOf, type Told } from '../mcp/mcp-client.ts';
import { type OwnedGateway, ownedGateway } from './owned-gateway.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function owned(env: Record<string, string> = {}): Promise<OwnedGateway> {
  const gateway = await ownedGateway({ MCP_WRITE: 'true', ...env }, 0);
  closing.push(() => gateway.close());
  return gateway;
}

const as = (gateway: OwnedGateway, who: string) => connect(gateway.url, 'modern', `lls_${who}`);

/** A gateway, and the key of a program with these grants. */
async function keyed(grants: Partial<Grants>, env: Record<string, string> = {}) {
  const store = FileAuthStore.inMemory();
  const { id, key, digest } = makeApiKey();
  const none = { read: [], publish: [], run: false, metrics: false, admin: false };
  const [created, expires] = [Date.now(), Date.now() + 3_600_000];
  await store.addKey({
    id,
    digest,
    name: 'agent',
    grants: { ...none, ...grants },
    created,
    expires,
    lastUsed: 0,
  });
  const gateway = await openGateway({ AUTH: 'on', MCP_WRITE: 'true', ...env }, {}, store);
  closing.push(() => gateway.close());
  const publish = (...entries: [channel: string, msg: string][]) =>
    gateway.broker.publish(entries.map(([channel, msg]) => line(channel, msg)));
  return { gateway, key, publish, revoke: () => store.revokeKey(id) };
}

const refused = (code: string) => ({ isError: true, text: expect.stringContaining(`${code}: `) }) as Told;

describe('where people sign in', () => {
  it('a request without a key, or with one that is not valid, is 401 and names the scheme', async () => {
    const { url } = await owned();
    for (const key of [undefined, 'Bearer lls_nobody', 'Bearer x', 'Bearer eyJhbGciOiJub25lIn0.e30.']) {
      const answer = await fetch(`${url}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: key }) },
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
      });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect(await answer.json()).toMatchObject({ error: { data: { code: 'unauthorized' } } });
    }
    for (const era of ERAS) await expect(connect(url, era)).rejects.toThrow();
  });

  it("another's run is answered as one that never was, and its channel as one that may not be read", async () => {
    const gateway = await owned();
    const [alice, bob, carol, root] = await Promise.all(
      ['alice', 'bob', 'carol', 'root'].map((who) => as(gateway, who)),
    );
    if (!alice || !bob || !carol || !root) throw new Error('somebody is missing');
    expect((await alice.call('start_run', { message: 'Explain tides', message_id: 'm1' })).isError).toBe(
      false,
    );
    await eventually('the end', async () =>
      (await alice.call('get_run', { id: 'm1' })).text.includes('finished'),
    );
    for (const args of [{ id: 'm1' }, { id: 'm1', owner: 'alice' }]) {
      const none = await bob.call('get_run', { ...args, id: 'm2' });
      expect(none).toEqual(refused('run_not_found'));
      expect(await bob.call('get_run', args)).toEqual(none);
    }
    for (const channels of [
      'runs:alice/m1',
      'runs:alice/*',
      'conversations:alice/*',
      'events:runs:alice',
      'audit:*',
    ])
      for (const tool of ['search_entries', 'wait_for_entries'])
        expect(await bob.call(tool, { channels })).toEqual(refused('channel_forbidden'));
    const narrowed = await bob.call('search_entries', { channels: 'runs:*,logs:*' });
    expect(narrowed.text).toContain('of logs:*,runs:bob/* (of what you asked for, all that you may read)');
    expect(linesOf(await alice.call('search_entries', { channels: 'runs:*', limit: 5 }))).toHaveLength(5);
    for (const { call } of [carol, root])
      expect((await call('get_run', { id: 'm1', owner: 'alice' })).text).toContain('Run m1: finished');
  });

  it('the same message_id of two people is two runs', async () => {
    const gateway = await owned();
    for (const who of ['alice', 'bob']) {
      const { call } = await as(gateway, who);
      const begun = await call('start_run', { message: `Explain ${who}`, message_id: 'm1' });
      expect(begun.text).toContain(`channels=runs:${who}/m1`);
    }
  });

  it('a key reads the channels of its grants alone, lists them alone, and starts no run without the right', async () => {
    const { gateway, key, publish } = await keyed({ read: ['logs:web*'] });
    await publish(['logs:web', 'mine'], ['logs:db', 'theirs']);
    for (const era of ERAS) {
      const { call } = await connect(gateway.url, era, key);
      const told = await call('search_entries');
      expect(told.text).toContain('1 entry of logs:web* (of what you asked for, all that you may read)');
      expect(linesOf(told)[0]).toContain('logs:web test mine');
      expect(await call('search_entries', { channels: 'logs:db' })).toEqual(refused('channel_forbidden'));
      expect(await call('wait_for_entries', { channels: 'logs:db' })).toEqual(refused('channel_forbidden'));
      expect(linesOf(await call('list_channels')).map((text) => text.split(' ')[0])).toEqual(['logs:web']);
      expect(await call('start_run', { message: 'x' })).toEqual(refused('forbidden'));
    }
  });

  it('a wait tells nothing after the end of the rights with which it began', async () => {
    const { gateway, key, publish, revoke } = await keyed({ read: ['logs*'], metrics: true });
    const { call } = await connect(gateway.url, 'legacy', key);
    const told = call('wait_for_entries', { channels: 'logs', wait: 25 });
    const ask = () => fetch(`${gateway.url}/sse/health`, { headers: { authorization: `Bearer ${key}` } });
    await eventually('the wait', async () => ((await (await ask()).json()) as { views: number }).views === 1);
    await revoke();
    await eventually('the key is no longer valid', async () => (await ask()).status === 401);
    await publish(['logs', 'secret']);
    expect(await told).toEqual(refused('unauthorized'));
  });

  it('what everybody may read needs no key', async () => {
    const { gateway, publish } = await keyed({}, { AUTH_ANONYMOUS: 'logs:public' });
    await publish(['logs:public', 'open'], ['logs:db', 'closed']);
    const { call } = await connect(gateway.url);
    expect(linesOf(await call('search_entries'))).toHaveLength(1);
    expect(await call('search_entries', { channels: 'logs:db' })).toEqual(refused('unauthorized'));
    expect(await call('start_run', { message: 'x' })).toEqual(refused('unauthorized'));
    expect(await call('get_run', { id: 'm1' })).toEqual(refused('run_not_found'));
  });
});

it('where AUTH=report, what would be refused is done and told', async () => {
  const { gateway, key, publish } = await keyed({ read: ['logs:web'] }, { AUTH: 'report' });
  await publish(['logs:db', 'theirs']);
  const { call } = await connect(gateway.url, 'modern', key);
  expect(linesOf(await call('search_entries', { channels: 'logs:db' }))).toHaveLength(1);
  expect((await call('start_run', { message: 'x' })).isError).toBe(false);
  const refusals = async () => {
    const { items } = await gateway.broker.readPage({ channels: ['audit:refusals'], after: 0, limit: 100 });
    return items.map(({ record }) => JSON.stringify(record?.entry.attrs));
  };
  await eventually('both are told', async () => {
    const all = (await refusals()).join('\n');
    return all.includes('channel_forbidden') && all.includes('"forbidden"');
  });
});

it('how often runs are started by MCP counts with those of POST /api/process', async () => {
  const limits = { RATE_LIMIT_PER_SECOND: '1', RATE_LIMIT_BURST: '2' };
  const gateway: TestGateway = await openGateway({ MCP_WRITE: 'true', ...limits });
  closing.push(() => gateway.close());
  const { call } = await connect(gateway.url);
  const started = [];
  for (let i = 0; i < 12; i++) started.push(await call('start_run', { message: 'x' }));
  expect(started).toContainEqual(refused('rate_limited'));
});
