import { randomUUID } from 'node:crypto';
import { draft } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { frames } from '../http/run-gateway.ts';
import { redisLog } from '../runs/service-harness.ts';
import { type AgentFrame, agentGateway, chat, entriesOf, freshId, named } from './agent-gateway.ts';
import { type TestTool, TestToolbox } from './test-toolbox.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** A tool that answers when the test lets it. */
function slow() {
  const gate = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<AbortSignal>();
  const tool: TestTool = {
    description: 'Finds homes.',
    does: (_, signal) => {
      begun.resolve(signal);
      return gate.promise;
    },
  };
  return { gate, begun: begun.promise, tools: new TestToolbox({ homes: { findHomes: tool } }) };
}
const shared = () => ({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });
const QUESTION = 'Find homes';

describe('a run in the middle of a call', () => {
  it.each(['memory', 'Redis'])('is cancelled with its tool, once, and nothing follows: %s', async (log) => {
    const { gate, begun, tools } = slow();
    const gateway = await agentGateway(tools, { env: log === 'Redis' ? shared() : {} });
    const id = freshId();
    const stream = chat(gateway, QUESTION, { message_id: id });
    const signal = await begun;
    await gateway.ask(`/api/runs/${id}/cancel`, {});
    const all = await stream;
    expect(all.at(-1)?.json).toMatchObject({ code: 'cancelled', final: true, unverified: ['call-1'] });
    await eventually('the tool is told', () => signal.aborted);
    gate.resolve('late');
    await eventually('the gateway has let go of the run', () => tools.inFlight === 0);
    const entries = await entriesOf(gateway.broker, `runs:${id}`);
    expect(entries.filter(({ event }) => event === EVENTS.runCancelled)).toHaveLength(1);
    expect(entries.at(-1)?.event).toBe(EVENTS.runCancelled);
  });

  it('goes on without its client, who resumes on another gateway from any entry, with no gap and no repeat', async () => {
    const { gate, begun, tools } = slow();
    const env = shared();
    const [a, b] = [await agentGateway(tools, { env }), await agentGateway(tools, { env })];
    const id = freshId();
    await chat(a, QUESTION, { message_id: id, conversation_id: 'c1' }, (all) => named(all).includes('tool'));
    await begun;
    const rest = b.ask(`/api/runs/${id}/stream`);
    gate.resolve('[{"home":1}]');
    const whole = (await frames(await rest)) as unknown as AgentFrame[];
    expect(named(whole).at(-1)).toBe('done');
    for (let at = 0; at < whole.length - 1; at++) {
      const from = { headers: { 'last-event-id': whole[at]?.id as string } };
      const again = await frames(await b.ask(`/api/runs/${id}/stream`, undefined, from));
      expect(again).toEqual(whole.slice(at + 1));
    }
  });

  it('whose gateway is gone is lost, and tells which calls nobody knows the effect of', async () => {
    const env = shared();
    const { store, broker } = redisLog(redis.url, env.NAMESPACE);
    await broker.open(5_000);
    const key = ownedKey('', freshId());
    const entry = (event: string, call: string) =>
      draft({
        time: Date.now(),
        channel: `runs:${key}`,
        source: 'gw-gone',
        level: 'info',
        msg: 'x',
        event,
        run: key,
        attrs: { role: 'agent', 'gen_ai.tool.name': 't', 'gen_ai.tool.call.id': call },
      });
    // What a gateway leaves that died after the second of two calls had left.
    const facts = {
      owner: '',
      id: key,
      agent: 'helper',
      fingerprint: 'f',
      gateway: 'gw-gone',
      promptVersion: 'v',
      lanes: [],
    };
    await store.begin(facts, randomUUID(), [
      entry(EVENTS.toolCalled, 'call-1'),
      entry(EVENTS.toolReturned, 'call-1'),
      entry(EVENTS.toolCalled, 'call-2'),
    ]);
    const tools = new TestToolbox({});
    const gateway = await agentGateway(tools, { env });
    const all = (await frames(await gateway.ask(`/api/runs/${key}/stream`))) as unknown as AgentFrame[];
    expect(all.at(-1)?.json).toMatchObject({ status: 'lost', code: 'run_lost', unverified: ['call-2'] });
    expect(tools.made).toEqual([]);
    await store.close();
    await broker.close();
  });
});

describe('what happens to a run', () => {
  it('is in the log before the call leaves', async () => {
    const seen: (string | undefined)[] = [];
    const id = freshId();
    const tool: TestTool = {
      description: 'Finds homes.',
      does: async () => {
        const entries = await entriesOf(gateway.broker, `runs:${id}`);
        seen.push(entries.at(-1)?.event);
        return '[]';
      },
    };
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes: tool } }), { env: shared() });
    await chat(gateway, QUESTION, { message_id: id });
    expect(seen).toEqual([EVENTS.toolCalled]);
  });

  it('is told to others without a word of what was asked and found', async () => {
    const tool: TestTool = {
      description: 'Finds homes.',
      properties: { city: { type: 'string' } },
      does: () => '[{"secret":"found"}]',
    };
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes: tool } }));
    await chat(gateway, 'Find homes in Portland');
    const copies = async () => entriesOf(gateway.broker, 'logs:generation');
    await eventually('the copies are there', async () =>
      (await copies()).some(({ event }) => event === EVENTS.toolReturned),
    );
    const told = JSON.stringify([...(await copies()), ...(await entriesOf(gateway.broker, 'events:runs'))]);
    expect(told).toContain('homes__findHomes');
    expect(told).not.toMatch(/Portland|secret|found/);
  });

  it('begins on its own channel with the question, which nothing else tells', async () => {
    const gateway = await agentGateway(new TestToolbox({}), { model: 'sim-401' });
    const id = freshId();
    await chat(gateway, 'Tides of Portland', { message_id: id });
    const own = await entriesOf(gateway.broker, `runs:${id}`);
    expect(own.slice(0, 2)).toMatchObject([
      { event: EVENTS.runStarted },
      { event: EVENTS.conversationTurn, msg: 'Tides of Portland', attrs: { role: 'user' } },
    ]);
    expect(own.at(-1)?.event).toBe(EVENTS.runFailed);
    expect(JSON.stringify(await entriesOf(gateway.broker, 'events:runs'))).not.toContain('Portland');
  });

  it('is in the history of who asked, and of nobody else', async () => {
    const gateway = await agentGateway(new TestToolbox({}), { env: { AUTH: 'on' } });
    for (const who of ['alice', 'bob']) {
      const body = { userMessage: `Tides of ${who}`, conversation_id: 'c1' };
      await (await gateway.ask('/agents/chat-stream', body, { who })).text();
    }
    const get = async (path: string, who: string) => gateway.ask(path, undefined, { who });
    const own = (await (await get('/agents/chat-history', 'alice')).json()) as {
      history: { content: string }[];
    };
    expect(own.history.map(({ content }) => content)[0]).toBe('Tides of alice');
    expect(own).toMatchObject({ count: 2 });
    expect(JSON.stringify(own)).not.toContain('bob');
    expect((await get('/agents/chat-history/alice', 'alice')).status).toBe(200);
    expect((await get('/agents/chat-history/alice', 'bob')).status).toBe(404);
    const list = await (await get('/api/conversations', 'bob')).json();
    expect(list).toMatchObject({
      conversations: [
        { conversation_id: 'c1', owner: 'bob', title: 'Tides of bob', agent: 'helper', runs: 1, running: [] },
      ],
    });
    expect(await (await get('/api/conversations?owner=alice', 'bob')).json()).toEqual({ conversations: [] });
    expect((await gateway.ask('/agents/chat-stream', { userMessage: 'x' })).status).toBe(401);
  });
});

it('a history reads one conversation after the other, and of each no more than it may tell', async () => {
  const gateway = await agentGateway(new TestToolbox({}));
  for (const n of [1, 2, 1, 2, 3]) await chat(gateway, `Tides ${n}`, { conversation_id: `c${n}` });
  const readPage = gateway.broker.readPage.bind(gateway.broker);
  const limits: number[] = [];
  let [reading, most] = [0, 0];
  gateway.broker.readPage = async (query) => {
    if (!query.reverse) return readPage(query);
    limits.push(query.limit);
    most = Math.max(most, ++reading);
    return readPage(query).finally(() => reading--);
  };
  const answer = await (await gateway.ask('/agents/chat-history?limit=3')).json();
  expect(answer).toMatchObject({
    count: 3,
    history: [
      { role: 'assistant', conversation_id: 'c2' },
      { role: 'user', content: 'Tides 3' },
      { role: 'assistant', conversation_id: 'c3' },
    ],
  });
  expect(limits).toHaveLength(3);
  expect(most).toBe(1);
});

it('the agents and the servers of their tools are told', async () => {
  const tools = new TestToolbox({ homes: { findHomes: { does: () => '' } }, market: {} });
  tools.down.add('market');
  const gateway = await agentGateway(tools);
  expect(await (await gateway.ask('/api/agents')).json()).toMatchObject({
    agents: [
      { name: 'helper', provider: 'simulated', tools: [{ name: 'homes__findHomes', approval: 'never' }] },
    ],
    servers: [
      { name: 'homes', state: 'up' },
      { name: 'market', state: 'down' },
    ],
    version: 'test',
  });
});
