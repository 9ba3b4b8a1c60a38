import type { ConversationSummary } from '@llm-streamer/shared/api-types.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { turnEntry } from '../../src/runs/conversation.ts';
import { Conversations } from '../../src/runs/conversations.ts';
import { MemoryRunStore } from '../../src/runs/store/memory-run-store.ts';
import { agentGateway, chat } from '../agents/agent-gateway.ts';
import { TestToolbox } from '../agents/test-toolbox.ts';
import { type OwnedGateway, ownedGateway } from './owned-gateway.ts';
import { frames, id, problem, SILENT_MODELS_MS } from './run-gateway.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: OwnedGateway[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((gateway) => gateway.close()));
});

const serve = async (env: Record<string, string>, tokenMs = 0) => {
  const gateway = await ownedGateway(env, tokenMs);
  open.push(gateway);
  return gateway;
};
const asked = async (gateway: OwnedGateway, who: string, conversation_id: string, message: string) => {
  const message_id = id();
  await gateway.begin(who, { message_id, conversation_id, message });
  await frames(await gateway.ask(who, `/api/runs/${message_id}/stream`));
  return message_id;
};
const listed = async (gateway: OwnedGateway, who: string, query = '') =>
  (await (await gateway.ask(who, `/api/conversations${query}`)).json()) as {
    conversations: ConversationSummary[];
    stopped?: true;
  };
const patch = (title: unknown) => ({
  method: 'PATCH',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ title }),
});
const DELETE = { method: 'DELETE' };
const PATH = '/api/conversations/talk';

describe.each(['memory', 'Redis'])('a conversation, with the log in %s', (log) => {
  const env = () => (log === 'Redis' ? { REDIS_URL: redis.url, NAMESPACE: randomNamespace() } : {});

  it('is named by its owner and by nobody else', async () => {
    const gateway = await serve(env());
    await asked(gateway, 'alice', 'talk', 'Explain tides');
    for (const who of ['bob', 'carol']) {
      const refused = await problem(await gateway.ask(who, `${PATH}?owner=alice`, patch('Stolen')));
      expect(refused.code).toBe('conversation_not_found');
    }
    const named = await gateway.ask('alice', PATH, patch('  The\n moon '));
    expect(named.status).toBe(200);
    const { conversations } = await listed(gateway, 'alice');
    expect(conversations).toEqual([await named.json()]);
    expect(conversations[0]).toMatchObject({ conversation_id: 'talk', title: 'The moon', runs: 1 });
    await asked(gateway, 'alice', 'talk', 'Go on');
    expect((await listed(gateway, 'alice')).conversations).toMatchObject([{ title: 'The moon', runs: 2 }]);
  });

  it.each(['', ' \n', 'x'.repeat(201), 7, null])('is not named %j', async (title) => {
    const gateway = await serve(env());
    await asked(gateway, 'alice', 'talk', 'Explain tides');
    const refused = await problem(await gateway.ask('alice', PATH, patch(title)));
    expect(refused).toMatchObject({ code: 'invalid_body', field: 'title' });
  });

  it('is deleted with its turns, runs and entries; those of others and of other conversations stay', async () => {
    const gateway = await serve(env());
    const mine = await asked(gateway, 'alice', 'talk', 'Explain tides');
    const other = await asked(gateway, 'alice', 'other', 'Explain rain');
    await asked(gateway, 'bob', 'talk', 'Explain snow');
    expect((await gateway.ask('bob', `${PATH}?owner=alice`, DELETE)).status).toBe(404);
    expect((await gateway.ask('alice', PATH, DELETE)).status).toBe(204);
    expect((await problem(await gateway.ask('alice', PATH, DELETE))).code).toBe('conversation_not_found');
    expect((await gateway.ask('alice', PATH)).status).toBe(404);
    expect((await gateway.ask('alice', `/api/runs/${mine}`)).status).toBe(404);
    const kept = await gateway.ask(
      'root',
      '/api/entries?channels=runs:*,conversations:*,events:runs:*&limit=1000',
    );
    const { entries } = (await kept.json()) as { entries: { channel: string; msg: string }[] };
    expect(new Set(entries.map(({ channel }) => channel))).not.toContain(`runs:alice/${mine}`);
    expect(JSON.stringify(entries)).not.toContain('tides');
    expect(JSON.stringify(entries)).toMatch(/rain.*snow/s);
    expect((await gateway.ask('alice', `/api/runs/${other}`)).status).toBe(200);
    expect((await listed(gateway, 'alice')).conversations).toMatchObject([{ conversation_id: 'other' }]);
    expect((await gateway.ask('bob', PATH)).status).toBe(200);
  });

  it('is not deleted while a run of it goes on', async () => {
    const gateway = await serve(env(), SILENT_MODELS_MS);
    const message_id = id();
    await gateway.begin('alice', { message_id, conversation_id: 'talk' });
    expect((await listed(gateway, 'alice')).conversations).toMatchObject([{ running: [message_id] }]);
    expect((await problem(await gateway.ask('alice', PATH, DELETE))).code).toBe('conversation_running');
    await gateway.ask('alice', `/api/runs/${message_id}/cancel`, { method: 'POST' });
    expect((await gateway.ask('alice', PATH, DELETE)).status).toBe(204);
    expect((await gateway.ask('alice', `/api/runs/${message_id}`)).status).toBe(404);
  });

  it('is found by words of its title and of what was said, whatever their case, by its owner', async () => {
    const gateway = await serve(env());
    await asked(gateway, 'alice', 'talk', `Explain ${'why '.repeat(40)} the Moon is FAR away`);
    await asked(gateway, 'alice', 'other', 'Explain rain');
    await gateway.ask('alice', '/api/conversations/other', patch('On weather'));
    const found = await listed(gateway, 'alice', '?q=moon+is+far');
    expect(found.conversations).toMatchObject([
      { conversation_id: 'talk', excerpt: expect.stringMatching(/^….*the Moon is FAR away$/) },
    ]);
    expect(found.stopped).toBeUndefined();
    expect((await listed(gateway, 'alice', '?q=FAR+moon')).conversations).toMatchObject([
      { conversation_id: 'talk', excerpt: expect.stringContaining('Moon is FAR') },
    ]);
    expect((await listed(gateway, 'alice', '?q=moon+rain')).conversations).toEqual([]);
    const many = Array.from({ length: 17 }, (_, i) => `w${i}`).join('+');
    expect((await problem(await gateway.ask('alice', `/api/conversations?q=${many}`))).code).toBe(
      'invalid_query',
    );
    expect((await listed(gateway, 'alice', '?q=WEATHER')).conversations).toMatchObject([
      { conversation_id: 'other', excerpt: 'On weather' },
    ]);
    expect((await listed(gateway, 'bob', '?q=moon&owner=alice')).conversations).toEqual([]);
    expect((await listed(gateway, 'alice', '?q=explain&limit=1')).conversations).toHaveLength(1);
  });
});

it('where nobody signs in, everybody names and deletes what everybody has', async () => {
  const gateway = await serve({ AUTH: 'off' });
  await asked(gateway, '', 'talk', 'Explain tides');
  expect((await gateway.ask('', PATH, patch('Ours'))).status).toBe(200);
  expect((await listed(gateway, '')).conversations).toMatchObject([{ title: 'Ours' }]);
  expect((await gateway.ask('', PATH, DELETE)).status).toBe(204);
  expect((await listed(gateway, '')).conversations).toEqual([]);
});

it('AUTH=report lets through and tells whom AUTH=on would refuse', async () => {
  const gateway = await serve({ AUTH: 'report' });
  await asked(gateway, 'alice', 'talk', 'Explain tides');
  expect((await gateway.ask('bob', `${PATH}?owner=alice`, patch('Seen'))).status).toBe(200);
  expect((await listed(gateway, 'alice')).conversations).toMatchObject([{ title: 'Seen' }]);
  expect((await gateway.ask('bob', `${PATH}?owner=alice`, DELETE)).status).toBe(204);
});

it('a search that meets its bound says so', async () => {
  const broker = new MemoryBroker();
  const store = new MemoryRunStore(broker);
  const facts = { owner: '', fingerprint: 'f', gateway: 'gw', promptVersion: 'v', lanes: [], title: 'x' };
  for (const name of ['c1', 'c2', 'c3']) {
    const turn = { role: 'user', text: `needle ${'hay '.repeat(300)}`, run: name, time: 1 } as const;
    await store.begin({ ...facts, id: name, conversationId: name }, 't', [
      draft(turnEntry(ownedKey('', name), turn, 'test')),
    ]);
  }
  const search = (words: string, bytes: number) =>
    new Conversations(store.conversations, broker, bytes).search(
      [words],
      '',
      10,
      () => true,
      () => false,
    );
  expect(await search('straw', 1_000_000)).toEqual({ conversations: [], stopped: false });
  expect(await search('straw', 2_000)).toEqual({ conversations: [], stopped: true });
  expect((await search('needle', 2_000)).conversations.map((one) => one.conversation_id)).toEqual([
    'c3',
    'c2',
  ]);
  await broker.close();
});

it('an export has each question, the calls made for it and the answer, and says where it ends', async () => {
  const does = () => '[{"home":1}]';
  const gateway = await agentGateway(
    new TestToolbox({ homes: { findHomes: { description: 'Finds homes.', does } } }),
    {
      env: { AUTH: 'on' },
    },
  );
  const ask = (userMessage: string) =>
    gateway.ask('/agents/chat-stream', { userMessage, conversation_id: 'talk' }, { who: 'alice' });
  for (const question of ['Find homes', 'Tides']) await (await ask(question)).text();
  const exported = (who: string) =>
    gateway.ask('/api/conversations/talk/export?owner=alice', undefined, { who });
  expect((await exported('bob')).status).toBe(404);
  const response = await exported('alice');
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { kind: 'turn', role: 'user', message: 'Find homes' },
    { kind: 'call', tool: 'homes__findHomes', state: 'returned', result: '[{"home":1}]' },
    { kind: 'turn', role: 'assistant' },
    { kind: 'turn', role: 'user', message: 'Tides' },
    { kind: 'turn', role: 'assistant' },
    { kind: 'end', turns: 4, calls: 1 },
  ]);
  expect(new Set(lines.slice(0, 3).map(({ message_id }) => message_id)).size).toBe(1);
});

it('an export whose client leaves gives its place back', async () => {
  const gateway = await agentGateway(new TestToolbox({}), { env: { MAX_CONNECTIONS: '1' } });
  for (let n = 0; n < 40; n++)
    await chat(gateway, `Say ${'tides '.repeat(2_500)}`, { conversation_id: 'talk' });
  const path = '/api/conversations/talk/export';
  const first = await gateway.ask(path);
  expect((await problem(await gateway.ask(path))).code).toBe('over_limit');
  await first.body?.cancel();
  await expect
    .poll(async () => (await gateway.ask(path)).text(), { timeout: 10_000 })
    .toContain('"kind":"end"');
});
