// A question that gets no answer: what is kept of it, and of the calls that were made for it.

import type {
  Conversation,
  ConversationsAnswer,
  ExportLine,
  RunDetail,
} from '@llm-streamer/shared/api-types.ts';
import { expect, it } from 'vitest';
import { connect } from '../mcp/mcp-client.ts';
import { type AgentGateway, agentGateway, answer, chat, freshId } from './agent-gateway.ts';
import { type TestTool, TestToolbox } from './test-toolbox.ts';

const findListings: TestTool = {
  description: 'Finds homes for sale.',
  properties: { city: { type: 'string' } },
  does: () => JSON.stringify([{ listingId: 'L001' }]),
};
const read = async <T>(gateway: AgentGateway, path: string) => (await (await gateway.ask(path)).json()) as T;
const exported = async (gateway: AgentGateway) => {
  const text = await (await gateway.ask('/api/conversations/c1/export')).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ExportLine);
};

it('is in the conversation, with its calls in the export, if its run is cancelled in one of them', async () => {
  const sendReport: TestTool = {
    description: 'A report of listings.',
    properties: { listingIds: { type: 'array' } },
    required: ['listingIds'],
    does: (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  };
  const gateway = await agentGateway(new TestToolbox({ homes: { findListings, sendReport } }), {
    env: { MCP: 'on' },
  });
  const message_id = freshId();
  const question = 'Make a report of all homes in Portland';
  const asked = { message_id, conversation_id: 'c1' };
  await chat(
    gateway,
    question,
    asked,
    (all) => all.filter(({ json }) => json.status === 'tool').length === 2,
  );
  const going = await read<RunDetail>(gateway, `/api/runs/${message_id}`);
  expect(going.usage.output_tokens).toBeGreaterThan(0);
  expect((await gateway.ask(`/api/runs/${message_id}/cancel`, {})).status).toBe(200);

  const turn = { role: 'user', message: question, message_id, time: expect.any(Number), state: 'cancelled' };
  expect((await read<Conversation>(gateway, '/api/conversations/c1')).turns).toEqual([turn]);
  const { turns } = await read<Conversation>(gateway, '/api/conversations/c1');
  expect(turns[0]?.time).toBeLessThanOrEqual(going.calls?.[0]?.called as number);
  expect(await read(gateway, '/agents/chat-history')).toMatchObject({
    history: [{ role: 'user', content: question, state: 'cancelled' }],
  });
  const [first, ...rest] = await exported(gateway);
  expect(first).toEqual({ kind: 'turn', ...turn });
  expect(rest).toMatchObject([
    {
      kind: 'call',
      tool: 'homes__findListings',
      state: 'returned',
      arguments: { city: 'Portland' },
      ms: expect.any(Number),
    },
    { kind: 'call', tool: 'homes__sendReport', state: 'called' },
    { kind: 'end', turns: 1, calls: 2 },
  ]);
  const found = await read<ConversationsAnswer>(gateway, '/api/conversations?q=portland+report');
  expect(found.conversations).toHaveLength(1);

  const { call } = await connect(gateway.url);
  const { text } = await call('get_run', { id: message_id });
  expect(text).toMatch(/^Run \S+: cancelled \(cancelled\), agent helper, started/);
  expect(text).toMatch(/^helper agent \S+ cancelled:/m);
  expect(text).toContain('nobody knows whether they have done what they were asked: call-2.');
});

it('is there if the model fails, with the time at which it was asked', async () => {
  const gateway = await agentGateway(new TestToolbox({}), { model: 'sim-401' });
  const before = Date.now();
  await chat(gateway, 'What are tides?', { conversation_id: 'c1' });
  const { turns } = await read<Conversation>(gateway, '/api/conversations/c1');
  expect(turns).toMatchObject([{ role: 'user', message: 'What are tides?', state: 'failed' }]);
  expect(turns[0]?.time).toBeGreaterThanOrEqual(before);
  expect((await exported(gateway)).at(-1)).toEqual({ kind: 'end', turns: 1, calls: 0 });
});

it('an answered question has the time at which it was asked', async () => {
  const gateway = await agentGateway(new TestToolbox({ homes: { findListings } }));
  const all = await chat(gateway, 'Find homes in Portland', { conversation_id: 'c1', message_id: 'm1' });
  expect(answer(all)).toContain('L001');
  const { calls = [] } = await read<RunDetail>(gateway, '/api/runs/m1');
  const { turns } = await read<Conversation>(gateway, '/api/conversations/c1');
  const called = calls[0]?.called as number;
  expect(turns[0]?.time).toBeLessThanOrEqual(called);
  expect(turns[1]?.time).toBeGreaterThanOrEqual(called);
});
