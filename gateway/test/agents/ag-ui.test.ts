import { buildResumeArray, HttpAgent, type Message } from '@ag-ui/client';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { frames } from '../http/run-gateway.ts';
import { type AgentGateway, agentGateway, freshId } from './agent-gateway.ts';
import { scriptedModel } from './scripted-model.ts';
import { type TestTool, TestToolbox } from './test-toolbox.ts';

const findHomes: TestTool = { description: 'Finds homes.', does: () => '[{"home":"L001"}]' };
const sendReport: TestTool = {
  description: 'Sends a report by mail.',
  approval: 'always',
  readOnly: false,
  properties: { recipientEmail: { type: 'string' } },
  required: ['recipientEmail'],
  does: () => '{"sent":true}',
};

/** The published client, and the types of the events that it has got. */
function client({ url }: AgentGateway, query = '', init: { who?: string } = {}) {
  const headers: Record<string, string> = init.who ? { authorization: `Bearer lls_${init.who}` } : {};
  const agent = new HttpAgent({ url: `${url}/api/ag-ui${query}`, threadId: freshId(), headers });
  const types: string[] = [];
  const errors: { message: string; code?: string | undefined }[] = [];
  agent.subscribe({
    onEvent: ({ event }) => void types.push(event.type),
    onRunErrorEvent: ({ event }) => void errors.push(event),
  });
  const question = (content: string) => agent.addMessage({ id: freshId(), role: 'user', content });
  return { agent, types, errors, question };
}
const textOf = (messages: readonly Message[]) =>
  messages.flatMap(({ role, content }) => (role === 'assistant' && content ? [content] : [])).join('');
const toolOf = (messages: readonly Message[]) => messages.filter(({ role }) => role === 'tool');

describe('the published client of AG-UI', () => {
  it('reads a whole run with its tool, and the next one of the same thread', async () => {
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes } }));
    const { agent, types, question } = client(gateway);
    question('Find homes');
    const { newMessages, result } = await agent.runAgent({ runId: 'r1' });
    expect(result).toEqual({ finish_reason: 'stop' });
    expect(textOf(newMessages)).toContain('L001');
    const [calling] = newMessages.flatMap((one) => (one.role === 'assistant' ? (one.toolCalls ?? []) : []));
    expect(calling).toMatchObject({ id: 'r1/call-1', function: { name: 'homes__findHomes' } });
    expect(toolOf(newMessages)).toMatchObject([{ toolCallId: 'r1/call-1', content: '[{"home":"L001"}]' }]);
    expect(types.at(0)).toBe('RUN_STARTED');
    expect(types.at(-1)).toBe('RUN_FINISHED');
    expect(types.filter((type) => type === 'STEP_STARTED')).toHaveLength(2);
    question('What are tides?');
    const next = await agent.runAgent({ runId: 'r2' });
    expect(textOf(next.newMessages)).toContain('None of my tools fits');
    expect(new Set(agent.messages.map(({ id }) => id)).size).toBe(agent.messages.length);
    const { turns } = (await (await gateway.ask(`/api/conversations/${agent.threadId}`)).json()) as {
      turns: unknown[];
    };
    expect(turns).toHaveLength(4);
  });

  it('reads what the model thinks as reasoning, apart from the answer', async () => {
    const { env } = await scriptedModel(() => ({ text: '<think>Rain is near.</think>Take an umbrella.' }));
    const { agent, question } = client(await agentGateway(new TestToolbox({}), { env }));
    question('Will it rain?');
    const { newMessages } = await agent.runAgent();
    expect(newMessages).toMatchObject([
      { role: 'reasoning', content: 'Rain is near.' },
      { role: 'assistant', content: 'Take an umbrella.' },
    ]);
  });

  it('that sends a question again under the same ids gets the same run, from its beginning, and no tool is called again', async () => {
    const tools = new TestToolbox({ homes: { findHomes } });
    const gateway = await agentGateway(tools);
    const body = {
      threadId: 't1',
      runId: 'r1',
      messages: [{ id: 'q', role: 'user', content: 'Find homes' }],
    };
    const read = async () =>
      (await frames(await gateway.ask('/api/ag-ui', body))).map(({ json }) => json as unknown);
    const live = await read();
    expect(live.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } });
    expect(await read()).toEqual(live);
    expect(tools.made).toHaveLength(1);
    const other = { ...body, messages: [{ id: 'q', role: 'user', content: 'Something else' }] };
    expect((await gateway.ask('/api/ag-ui', other)).status).toBe(409);
  });

  it.each([true, false])('is asked for consent, answers, and reads on: %s', async (approved) => {
    const tools = new TestToolbox({ mail: { sendReport } });
    const { agent, question } = client(await agentGateway(tools));
    question('Send the report to a@example.com');
    await agent.runAgent({ runId: 'r1' });
    expect(agent.pendingInterrupts).toMatchObject([{ id: 'r1/call-1', toolCallId: 'r1/call-1' }]);
    expect(tools.made).toEqual([]);
    const payload = { approved, reason: 'because' };
    const resume = buildResumeArray(agent.pendingInterrupts, {
      'r1/call-1': { status: 'resolved', payload },
    });
    const { newMessages } = await agent.runAgent({ resume });
    expect(agent.pendingInterrupts).toEqual([]);
    expect(tools.made).toHaveLength(approved ? 1 : 0);
    expect(toolOf(newMessages)).toMatchObject([{ toolCallId: 'r1/call-1' }]);
    expect(textOf(newMessages)).toMatch(approved ? /sent/ : /failed/);
  });

  it('that leaves a question for consent and asks something else is answered, and the call is not made', async () => {
    const tools = new TestToolbox({ mail: { sendReport } });
    const gateway = await agentGateway(tools);
    const { agent, question } = client(gateway);
    question('Send the report to a@example.com');
    await agent.runAgent({ runId: 'r1' });
    question('What are tides?');
    const resume = buildResumeArray(agent.pendingInterrupts, { 'r1/call-1': { status: 'cancelled' } });
    const { newMessages } = await agent.runAgent({ resume });
    expect(textOf(newMessages)).toContain('None of my tools fits');
    await eventually('the first run ends', async () => {
      const { state } = (await (await gateway.ask('/api/runs/r1')).json()) as { state: string };
      return state === 'finished';
    });
    expect(tools.made).toEqual([]);
  });

  it('that stops leaves a run that goes on, and is told when somebody cancels it', async () => {
    const begun = Promise.withResolvers<void>();
    const silent: TestTool = {
      description: 'Finds homes.',
      does: () => {
        begun.resolve();
        return new Promise(() => {});
      },
    };
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes: silent } }));
    const { agent, types, question } = client(gateway);
    question('Find homes');
    const running = agent.runAgent({ runId: 'r1' });
    await begun.promise;
    const other = client(gateway);
    other.agent.threadId = agent.threadId;
    other.question('Find homes');
    const leaving = other.agent.runAgent({ runId: 'r1' });
    await eventually('the second reads, too', () => other.types.includes('TOOL_CALL_END'));
    other.agent.abortRun();
    await leaving;
    expect(types).not.toContain('RUN_FINISHED');
    await gateway.ask('/api/runs/r1/cancel', {});
    await running;
    expect(types.at(-1)).toBe('RUN_FINISHED');
    expect(types).not.toContain('RUN_ERROR');
  });

  it('is told with a code that a run has failed', async () => {
    const { agent, errors, question } = client(await agentGateway(new TestToolbox({}), { model: 'sim-401' }));
    question('What are tides?');
    await agent.runAgent().catch(() => undefined);
    expect(errors).toMatchObject([{ code: 'agent_failed' }]);
  });
});

describe('POST /api/ag-ui', () => {
  it('takes an answer for consent from the owner of the run alone; for others there is no such run', async () => {
    const tools = new TestToolbox({ mail: { sendReport } });
    const gateway = await agentGateway(tools, { env: { AUTH: 'on' } });
    const { agent, question } = client(gateway, '', { who: 'alice' });
    question('Send the report to a@example.com');
    await agent.runAgent({ runId: 'r1' });
    const resume = [{ interruptId: 'r1/call-1', status: 'resolved', payload: { approved: true } }];
    const body = { threadId: agent.threadId, runId: 'r2', messages: [], resume };
    const answer = await gateway.ask('/api/ag-ui', body, { who: 'bob' });
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: 'run_not_found' }]);
    expect((await gateway.ask('/api/ag-ui', body)).status).toBe(401);
    expect(tools.made).toEqual([]);
    const own = await frames(await gateway.ask('/api/ag-ui', body, { who: 'alice' }));
    expect(own.at(-1)?.json).toMatchObject({
      type: 'RUN_FINISHED',
      runId: 'r2',
      outcome: { type: 'success' },
    });
    expect(tools.made).toHaveLength(1);
  });

  it('refuses what is no question and no answer, with a code', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    const post = async (more: object, query = '') => {
      const body = { threadId: 't1', runId: 'r1', messages: [], ...more };
      const answer = await gateway.ask(`/api/ag-ui${query}`, body);
      const { code, detail } = (await answer.json()) as { code: string; detail: string };
      return detail.includes('500') ? detail : code;
    };
    const asked = (content: unknown) => ({ messages: [{ id: 'q', role: 'user', content }] });
    expect(await post({})).toBe('invalid_body');
    expect(await post({ runId: '../x' })).toBe('invalid_body');
    expect(await post(asked(' '))).toBe('invalid_body');
    expect(await post(asked([{ type: 'image' }]))).toBe('invalid_body');
    expect(await post(asked('x'.repeat(17_000)))).toBe('message_too_long');
    expect(await post({ messages: [{ id: 'a', role: 'tool', content: 'x' }] })).toBe('invalid_body');
    expect(await post(asked('Hi'), '?agent=none')).toBe('agent_not_found');
    const resume = (...ids: string[]) => ({
      resume: ids.map((interruptId) => ({ interruptId, status: 'resolved', payload: { approved: true } })),
    });
    expect(await post(resume('none'))).toBe('invalid_body');
    expect(await post(resume('a/call-1', 'b/call-1'))).toBe('invalid_body');
    expect(await post(resume('none/call-1'))).toBe('run_not_found');
    const resolved = (payload: unknown) => ({
      resume: [{ interruptId: 'a/call-1', status: 'resolved', payload }],
    });
    expect(await post(resolved('yes'))).toBe('invalid_body');
    expect(await post(resolved({ approved: false, reason: 'x'.repeat(501) }))).toBe(
      'resume: a reason must be a text of at most 500 characters',
    );
  });
});
