// A question that is edited: the conversation, what the model is given of it and its export go on from there, and the turns that it had
// before stay in the log.
import type { ChatHistory, Conversation, RunSummary } from '@llm-streamer/shared/api-types.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { conversationChannel, ownedKey } from '@llm-streamer/shared/ownership.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type AgentGateway, type AgentGatewayOptions, agentGateway, entriesOf } from './agent-gateway.ts';
import { scriptedModel } from './scripted-model.ts';
import { TestToolbox } from './test-toolbox.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const BASE = '/api/conversations/talk';

/** Its model answers a question in capital letters, and fails where it says so. */
async function talk(env: AgentGatewayOptions['env'] = {}) {
  const model = await scriptedModel(({ messages }) => {
    const question = messages.at(-1)?.content ?? '';
    return question.startsWith('fail') ? {} : { text: question.toUpperCase() };
  });
  const gateway = await agentGateway(new TestToolbox({}), { env: { ...env, ...model.env } });
  const given = () =>
    model.asked
      .at(-1)
      ?.messages.slice(1)
      .map(({ content }) => content);
  return { gateway, given };
}

async function ask(
  gateway: AgentGateway,
  message_id: string,
  more: object = {},
  who?: string,
): Promise<number> {
  const body = { userMessage: message_id, message_id, conversation_id: 'talk', ...more };
  const response = await gateway.ask('/agents/chat-stream', body, who === undefined ? {} : { who });
  await response.text();
  return response.status;
}

async function turns(gateway: AgentGateway, who?: string): Promise<string[]> {
  const response = await gateway.ask(BASE, undefined, who === undefined ? {} : { who });
  return ((await response.json()) as Conversation).turns.map(({ message }) => message);
}

async function exported(gateway: AgentGateway): Promise<string[]> {
  const lines = (await (await gateway.ask(`${BASE}/export`)).text()).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line).message ?? 'end');
}

describe.each(['memory', 'Redis'])('an edited question, with the log in %s', (log) => {
  const env = () => (log === 'Redis' ? { REDIS_URL: redis.url, NAMESPACE: randomNamespace() } : {});

  it('takes the place of the first, and of all that followed on it', async () => {
    const { gateway, given } = await talk(env());
    for (const id of ['one', 'two', 'three']) await ask(gateway, id);
    expect(await ask(gateway, 'new', { replaces: 'two' })).toBe(200);
    expect(given()).toEqual(['one', 'ONE', 'new']);
    expect(await turns(gateway)).toEqual(['one', 'ONE', 'new', 'NEW']);
    expect(await exported(gateway)).toEqual(['one', 'ONE', 'new', 'NEW', 'end']);
    await ask(gateway, 'next');
    expect(given()).toEqual(['one', 'ONE', 'new', 'NEW', 'next']);
    await ask(gateway, 'first', { replaces: 'one' });
    expect(given()).toEqual(['first']);
    expect(await turns(gateway)).toEqual(['first', 'FIRST']);
    const runs = (await (await gateway.ask('/api/runs')).json()) as { runs: RunSummary[] };
    expect(
      runs.runs.flatMap(({ message_id, replaces }) => (replaces ? [[message_id, replaces]] : [])),
    ).toEqual([
      ['first', 'one'],
      ['new', 'two'],
    ]);
  });

  it('stays in the log with its answer', async () => {
    const { gateway } = await talk(env());
    await ask(gateway, 'one');
    await ask(gateway, 'new', { replaces: 'one' });
    const all = await entriesOf(gateway.broker, conversationChannel(ownedKey('', 'talk')));
    expect(all.map(({ msg, event }) => (event === EVENTS.conversationTurn ? msg : event))).toEqual([
      'one',
      'ONE',
      'conversation.edited',
      'new',
      'NEW',
    ]);
    expect((await gateway.ask('/api/runs/one')).status).toBe(200);
  });

  it('may be one that failed, may fail itself, and may be edited once more', async () => {
    const { gateway, given } = await talk(env());
    for (const id of ['one', 'fail', 'two']) await ask(gateway, id);
    await ask(gateway, 'fail again', { message_id: 'again', replaces: 'fail' });
    expect(await turns(gateway)).toEqual(['one', 'ONE', 'fail again']);
    await ask(gateway, 'new', { replaces: 'again' });
    expect(given()).toEqual(['one', 'ONE', 'new']);
    expect(await turns(gateway)).toEqual(['one', 'ONE', 'new', 'NEW']);
  });

  it('that is sent again is the same run, and changes nothing', async () => {
    const { gateway } = await talk(env());
    for (const id of ['one', 'two']) await ask(gateway, id);
    await ask(gateway, 'new', { replaces: 'one' });
    await ask(gateway, 'next');
    expect(await ask(gateway, 'new', { replaces: 'one' })).toBe(200);
    expect(await ask(gateway, 'new', {})).toBe(409);
    expect(await turns(gateway)).toEqual(['new', 'NEW', 'next', 'NEXT']);
  });
});

it('only what stands in the conversation is edited, and only by its owner', async () => {
  const { gateway } = await talk({ AUTH: 'on' });
  await ask(gateway, 'one', {}, 'alice');
  await ask(gateway, 'other', { conversation_id: 'else' }, 'alice');
  await ask(gateway, 'new', { replaces: 'one' }, 'alice');
  for (const replaces of ['one.', 'other', 'nothing'])
    expect(await ask(gateway, 'x', { replaces }, 'alice')).toBe(404);
  expect(await ask(gateway, 'theirs', { replaces: 'new' }, 'bob')).toBe(404);
  expect(await turns(gateway, 'alice')).toEqual(['new', 'NEW']);
});

it('a question that failed is edited no more once an edit has put it aside', async () => {
  const { gateway } = await talk();
  for (const id of ['one', 'fail']) await ask(gateway, id);
  await ask(gateway, 'new', { replaces: 'one' });
  expect(await ask(gateway, 'late', { replaces: 'fail' })).toBe(404);
  expect(await turns(gateway)).toEqual(['new', 'NEW']);
});

it('the newest messages of an edited conversation are all there, however few are asked for', async () => {
  const { gateway } = await talk();
  for (const id of ['one', 'two']) await ask(gateway, id);
  await ask(gateway, 'new', { replaces: 'two' });
  const { history } = (await (await gateway.ask('/agents/chat-history?limit=3')).json()) as ChatHistory;
  expect(history.map(({ content }) => content)).toEqual(['ONE', 'new', 'NEW']);
});

describe('useChat', () => {
  const message = (id: string, text: string) => ({ id, role: 'user', parts: [{ type: 'text', text }] });
  const send = async (gateway: AgentGateway, body: object) =>
    (await gateway.ask('/api/chat', { id: 'talk', ...body })).text();

  it('edits a question, and what it shows is the conversation', async () => {
    const { gateway, given } = await talk();
    for (const id of ['one', 'two', 'three']) await send(gateway, { messages: [message(id, id)] });
    for (const text of ['new', 'newer'])
      await send(gateway, { messages: [message('two', text)], messageId: 'two', trigger: 'submit-message' });
    expect(given()).toEqual(['one', 'ONE', 'newer']);
    await send(gateway, { messages: [message('two', 'newer')], messageId: 'two', trigger: 'submit-message' });
    await send(gateway, { messages: [message('four', 'four')] });
    expect(await turns(gateway)).toEqual(['one', 'ONE', 'newer', 'NEWER', 'four', 'FOUR']);
  });

  it('asks for another answer, which takes the place of the first', async () => {
    const { gateway, given } = await talk();
    for (const id of ['one', 'two']) await send(gateway, { messages: [message(id, id)] });
    await send(gateway, {
      messages: [message('two', 'two')],
      messageId: 'a-two',
      trigger: 'regenerate-message',
    });
    expect(given()).toEqual(['one', 'ONE', 'two']);
    expect(await turns(gateway)).toEqual(['one', 'ONE', 'two', 'TWO']);
  });
});
