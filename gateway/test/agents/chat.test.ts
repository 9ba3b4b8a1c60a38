import { EVENTS } from '@llm-streamer/shared/events.ts';
import { describe, expect, it } from 'vitest';
import { agentGateway, answer, chat, entriesOf, freshId, named, withStatus } from './agent-gateway.ts';
import { Fails, type TestTool, TestToolbox } from './test-toolbox.ts';

const HOMES = [
  { listingId: 'L001', city: 'Portland', price: 500_000 },
  { listingId: 'L002', city: 'Portland', price: 700_000 },
];
const ids = { listingIds: { type: 'array', items: { type: 'string' } } };
const findListings: TestTool = {
  description: 'Finds homes for sale.',
  properties: { city: { type: 'string' }, minBedrooms: { type: 'number' }, maxPrice: { type: 'number' } },
  does: () => JSON.stringify(HOMES),
};
const getMetrics: TestTool = {
  description: 'Views and analytics of listings.',
  properties: ids,
  required: ['listingIds'],
  does: ({ listingIds }) =>
    JSON.stringify((listingIds as string[]).map((listingId) => ({ listingId, views: 7 }))),
};
const performanceReport: TestTool = {
  description: 'A report on how listings perform.',
  properties: ids,
  required: ['listingIds'],
  does: ({ listingIds }) => JSON.stringify({ about: listingIds }),
};
const realEstate = (more: Record<string, TestTool> = {}) =>
  new TestToolbox({ homes: { findListings, getMetrics, performanceReport, ...more } });

describe('a question to an agent', () => {
  it('is answered with what its tool says, in named events, and ends once', async () => {
    const tools = realEstate();
    const gateway = await agentGateway(tools);
    const all = await chat(gateway, 'Find 3-bedroom homes in Portland under $900,000', {
      conversation_id: 'c1',
    });
    const order = named(all).filter((name, i, list) => name !== list[i - 1]);
    expect(order).toEqual([
      'processing',
      'step',
      'reasoning',
      'tool',
      'tool_done',
      'step',
      'reasoning',
      'content',
      'done',
    ]);
    expect(tools.made).toMatchObject([
      { tool: 'findListings', args: { city: 'Portland', minBedrooms: 3, maxPrice: 900_000 } },
    ]);
    expect(answer(all)).toContain('| L001 | Portland | 500000 |');
    expect(all.at(-1)?.json).toMatchObject({ status: 'completed', final: true, steps: 2, tool_calls: 1 });
    expect(all.every(({ json }) => json.conversation_id === 'c1' && json.message_id !== undefined)).toBe(
      true,
    );
    expect(all.every(({ id }) => /^\d+-\d+$/.test(id ?? ''))).toBe(true);
  });

  it('without ids gets some, and a user id in the body changes nothing', async () => {
    const gateway = await agentGateway(realEstate());
    const [first] = await chat(gateway, 'Hello', { userId: 'mallory' });
    expect(first?.json.message_id).toMatch(/^chat-/);
    expect(first?.json.conversation_id).toMatch(/^c-/);
    // Were it believed, the entries would be on `runs:mallory/…`.
    expect(await entriesOf(gateway.broker, `runs:${first?.json.message_id}`)).not.toEqual([]);
  });

  it('may take several steps: ids of the first result go to the next tool', async () => {
    const tools = realEstate();
    const gateway = await agentGateway(tools);
    await chat(gateway, 'Make a performance report of all homes in Portland');
    expect(tools.made.map(({ tool, args }) => [tool, args])).toEqual([
      ['findListings', { city: 'Portland' }],
      ['performanceReport', { listingIds: ['L001', 'L002'] }],
    ]);
  });

  it('may call tools side by side; the model gets the results in the order of its calls', async () => {
    const gate = Promise.withResolvers<void>();
    const tools: TestToolbox = realEstate({
      getMetrics: {
        ...getMetrics,
        does: async () => {
          await gate.promise; // ends after the other, which began after it
          return JSON.stringify([{ views: 7 }]);
        },
      },
      performanceReport: {
        ...performanceReport,
        does: () => {
          setImmediate(() => gate.resolve());
          return JSON.stringify({ about: 'both' });
        },
      },
    });
    const gateway = await agentGateway(tools);
    const all = await chat(gateway, 'analytics and a performance report for L001');
    expect(tools.mostInFlight).toBe(2);
    expect(withStatus(all, 'tool_done').map(({ tool }) => tool)).toEqual([
      'homes__performanceReport',
      'homes__getMetrics',
    ]);
    expect(answer(all).indexOf('get metrics')).toBeLessThan(answer(all).indexOf('performance report” gave'));
  });

  it('is answered with one result where the other tool fails, and of the failure only a code is told', async () => {
    const secret = 'db down at /etc/secret';
    const tools = realEstate({
      getMetrics: {
        ...getMetrics,
        does: () => {
          throw new Fails('tool_failed', secret);
        },
      },
      performanceReport: {
        ...performanceReport,
        does: () => {
          throw new Fails('tool_timeout');
        },
      },
    });
    const gateway = await agentGateway(tools, { env: { LOG_CONTENT: 'false' } });
    const id = freshId();
    const all = await chat(gateway, 'Find homes, and analytics and a performance report for L001', {
      message_id: id,
    });
    expect(
      withStatus(all, 'tool_failed')
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['tool_failed', 'tool_timeout']);
    expect(answer(all)).toContain('| L001 |');
    expect(named(all).at(-1)).toBe('done');
    const told = withStatus(all, 'tool_failed').map(({ message }) => message);
    expect(JSON.stringify(told)).not.toContain(secret);
    const calls = (await entriesOf(gateway.broker, `runs:${id}`)).filter(
      ({ event }) => event === EVENTS.toolReturned,
    );
    expect(JSON.stringify(calls)).not.toContain(secret);
  });

  it('holds a result of control characters within an entry, which still says what it is', async () => {
    const tools = realEstate({ findListings: { ...findListings, does: () => '\u0001'.repeat(40_000) } });
    const gateway = await agentGateway(tools, { env: { ENTRY_BYTES: '65536' } });
    const id = freshId();
    await chat(gateway, 'Find homes', { message_id: id });
    const [returned] = (await entriesOf(gateway.broker, `runs:${id}`)).filter(
      ({ event }) => event === EVENTS.toolReturned,
    );
    expect(returned?.attrs).toMatchObject({
      lane: 'helper',
      'gen_ai.tool.name': 'homes__findListings',
      'gen_ai.tool.call.id': 'call-1',
      bytes: 40_000,
      cut: true,
    });
    expect(returned?.msg).toMatch(/\n\n\[\d+ bytes left out; ask for less\]\n\n/);
  });

  it('that is sent again replays the run, and calls no tool again', async () => {
    const tools = realEstate();
    const gateway = await agentGateway(tools);
    const more = { message_id: freshId(), conversation_id: 'c1' };
    const first = await chat(gateway, 'Find homes in Portland', more);
    const again = await chat(gateway, 'Find homes in Portland', more);
    expect(again).toEqual(first);
    expect(tools.made).toHaveLength(1);
    const other = await gateway.ask('/agents/chat-stream', { userMessage: 'Something else', ...more });
    expect(other.status).toBe(409);
  });

  it('that is sent again without a conversation replays the run, in the conversation that it began', async () => {
    const tools = realEstate();
    const gateway = await agentGateway(tools);
    const more = { message_id: freshId() };
    const first = await chat(gateway, 'Find homes in Portland', more);
    expect(await chat(gateway, 'Find homes in Portland', more)).toEqual(first);
    expect(tools.made).toHaveLength(1);
    const [other] = await chat(gateway, 'Find homes in Portland', { message_id: freshId() });
    expect(other?.json.conversation_id).toMatch(/^c-/);
    expect(other?.json.conversation_id).not.toBe(first[0]?.json.conversation_id);
  });

  it('of one conversation is given what was said before, once', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    await chat(gateway, 'What are tides?', { conversation_id: 'c1' });
    const all = await chat(gateway, 'Why?', { conversation_id: 'c1' });
    expect(answer(all)).toContain('Coming from tides');
  });

  it('is answered as JSON at the end, where that is asked for', async () => {
    const gateway = await agentGateway(realEstate());
    const response = await gateway.ask('/agents/chat', { userMessage: 'Find homes in Portland' });
    expect(response.status).toBe(200);
    const body = (await response.json()) as Record<string, unknown>;
    expect(body).toMatchObject({
      agent: 'helper',
      message: expect.stringContaining('L001'),
      calls: [
        { id: 'call-1', tool: 'homes__findListings', state: 'returned', arguments: { city: 'Portland' } },
      ],
    });
    const failing = await agentGateway(realEstate(), { model: 'sim-401' });
    const failed = await failing.ask('/agents/chat', { userMessage: 'Find homes' });
    expect(failed.status).toBe(502);
    // The same question again would be another run, whose tools act again.
    expect(failed.headers.has('retry-after')).toBe(false);
    expect(await failed.json()).toMatchObject({ code: 'run_failed', run_code: 'agent_failed' });
  });

  it('names a server that is down in its first entry only if the agent has tools of it', async () => {
    const tools = new TestToolbox({ homes: { findListings }, market: { getMetrics }, mail: { getMetrics } });
    for (const server of ['market', 'mail']) tools.down.add(server);
    const gateway = await agentGateway(tools, { patterns: ['homes__*', 'market__getMetrics'] });
    const id = freshId();
    await chat(gateway, 'Find homes in Portland', { message_id: id });
    const [started] = await entriesOf(gateway.broker, `runs:${id}`);
    expect(started?.attrs).toMatchObject({ servers_down: ['market'] });
  });

  it('tells the agent which servers are down', async () => {
    const tools = new TestToolbox({ homes: { findListings }, market: { getMetrics } });
    tools.down.add('market');
    const gateway = await agentGateway(tools);
    const id = freshId();
    const all = await chat(gateway, 'Find homes in Portland', { message_id: id });
    expect(named(all).at(-1)).toBe('done');
    const [started] = await entriesOf(gateway.broker, `runs:${id}`);
    expect(started?.attrs).toMatchObject({ servers_down: ['market'], 'gen_ai.agent.name': 'helper' });
    expect(answer(all)).toContain('| L001 |');
    expect(answer(all)).toMatch(/The tools of these servers are not available now: market\.$/);
    const other = await chat(gateway, 'What are the metrics?');
    expect(answer(other)).toBe(
      'None of my tools fits this question; I have find listings. The tools of these servers are not available now: market.',
    );
  });
});

describe('a model that misbehaves', () => {
  const asked = async (model: string, question = 'Find homes in Portland', limits = {}) => {
    const tools = realEstate();
    const gateway = await agentGateway(tools, { model, limits });
    return { tools, all: await chat(gateway, question) };
  };

  it.each([
    ['sim-tool-unknown', 'tool_unknown'],
    ['sim-tool-badargs', 'tool_bad_arguments'],
  ])('%s: nothing is called, the model is told %s, and the run goes on', async (model, code) => {
    const { tools, all } = await asked(model);
    expect(tools.made).toEqual([]);
    expect(withStatus(all, 'tool_failed')).toMatchObject([{ code }]);
    expect(named(all).at(-1)).toBe('done');
  });

  it('sim-tool-silent: the whole call in one piece, without an id, ended by `stop`', async () => {
    const { tools, all } = await asked('sim-tool-silent');
    expect(tools.made).toHaveLength(1);
    expect(named(all).at(-1)).toBe('done');
  });

  it('sim-tool-loop: the same call is made three times, and the limit of steps leads to an answer', async () => {
    const { tools, all } = await asked('sim-tool-loop', undefined, { steps: 5 });
    expect(tools.made).toHaveLength(3);
    expect(withStatus(all, 'tool_failed').map(({ code }) => code)).toEqual(['agent_loop', 'agent_loop']);
    expect(all.at(-1)?.json).toMatchObject({ status: 'completed', limited: true, limit: 'agent_steps' });
    expect(answer(all)).toContain('L001');
  });

  it('sim-tool-all: of more calls than may be made at once the rest is refused', async () => {
    const { tools, all } = await asked('sim-tool-all', 'Tell me of L001', { calls_per_step: 2 });
    expect(tools.made).toHaveLength(2);
    expect(withStatus(all, 'tool_failed')).toMatchObject([{ code: 'agent_too_many_calls' }]);
  });

  it('sim-tool-loop: the limit of calls leads to an answer, too', async () => {
    const { tools, all } = await asked('sim-tool-loop', undefined, { calls: 2 });
    expect(tools.made).toHaveLength(2);
    expect(all.at(-1)?.json).toMatchObject({ limited: true, limit: 'agent_calls' });
  });

  it.each(['sim-401', 'sim-die', 'sim-stall'])('%s: the run fails with a code', async (model) => {
    const tools = realEstate();
    const gateway = await agentGateway(tools, {
      model,
      env: { LLM_CHUNK_TIMEOUT_MS: '500', LLM_RETRIES: '0' },
    });
    const all = await chat(gateway, 'What are tides?');
    expect(all.at(-1)?.json).toMatchObject({ code: 'agent_failed', final: true });
  });
});
