import { AbstractChat, type ChatState, type ChatStatus, DefaultChatTransport, type UIMessage } from 'ai';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type AgentGateway, agentGateway } from './agent-gateway.ts';
import { type TestTool, TestToolbox } from './test-toolbox.ts';

class MemoryState implements ChatState<UIMessage> {
  status: ChatStatus = 'ready';
  error: Error | undefined = undefined;
  messages: UIMessage[];
  constructor(messages: UIMessage[]) {
    this.messages = messages;
  }
  pushMessage = (message: UIMessage) => {
    this.messages = [...this.messages, message];
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (at: number, message: UIMessage) => {
    this.messages = this.messages.with(at, message);
  };
  snapshot = <T>(thing: T): T => structuredClone(thing);
}

/** The published client, without a page. */
class Chat extends AbstractChat<UIMessage> {
  constructor(gateway: AgentGateway, id: string, messages: UIMessage[] = []) {
    super({
      id,
      transport: new DefaultChatTransport({ api: `${gateway.url}/api/chat` }),
      state: new MemoryState(messages),
    });
  }
  get answer(): string {
    const parts = this.messages.at(-1)?.parts ?? [];
    return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  }
  tools(): { state: string; toolName?: string }[] {
    return (this.messages.at(-1)?.parts ?? []).filter(({ type }) => type === 'dynamic-tool') as never;
  }
}

const findHomes: TestTool = { description: 'Finds homes.', does: () => '[{"home":"L001"}]' };
const sendReport: TestTool = {
  description: 'Sends a report by mail.',
  approval: 'always',
  readOnly: false,
  properties: { recipientEmail: { type: 'string' } },
  required: ['recipientEmail'],
  does: () => '{"sent":true}',
};

describe('the published client of useChat', () => {
  it('reads a whole answer with its tool, and the next question of the same chat', async () => {
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes } }));
    const chat = new Chat(gateway, 'chat-1');
    await chat.sendMessage({ text: 'Find homes' });
    expect(chat.error).toBeUndefined();
    expect(chat.status).toBe('ready');
    expect(chat.answer).toContain('L001');
    expect(chat.tools()).toMatchObject([{ toolName: 'homes__findHomes', state: 'output-available' }]);
    await chat.sendMessage({ text: 'What are tides?' });
    expect(chat.messages).toHaveLength(4);
    expect(chat.answer).toContain('None of my tools fits');
  });

  it('gets another answer each time that it asks for one', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    const chat = new Chat(gateway, 'chat-1');
    await chat.sendMessage({ text: 'What are tides?' });
    const [question] = chat.messages;
    const ids = [chat.messages[1]?.id];
    const questionId = question?.id as string;
    const named = [{}, {}, { messageId: questionId }, { messageId: questionId }, 'the answer', 'the answer'];
    for (const one of named) {
      await chat.regenerate(typeof one === 'string' ? { messageId: ids.at(-1) as string } : one);
      expect(chat.error).toBeUndefined();
      expect(chat.messages).toHaveLength(2);
      ids.push(chat.messages[1]?.id);
    }
    expect(new Set(ids).size).toBe(7);
    expect(chat.answer).toContain('tides');
  });

  it('may edit a question and ask again, and what is only sent again is the same run', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    const chat = new Chat(gateway, 'chat-1');
    await chat.sendMessage({ text: 'What are tides?' });
    const [question, first] = chat.messages;
    const messageId = question?.id as string;
    await chat.sendMessage({ text: 'What are rainbows?', messageId });
    expect(chat.error).toBeUndefined();
    expect(chat.messages).toHaveLength(2);
    expect(chat.answer).toContain('rainbows');
    const edited = chat.messages[1];
    expect(edited?.id).not.toBe(first?.id);
    await chat.sendMessage({ text: 'What are rainbows?', messageId });
    expect(chat.messages[1]).toEqual(edited);
    const again = new Chat(gateway, 'chat-1', question && [question]);
    await again.sendMessage();
    expect(again.messages[1]).toEqual(first);
  });

  it('gets the whole answer after a reload in the middle of a call, and nothing when there is nothing', async () => {
    const gate = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const slow: TestTool = {
      description: 'Finds homes.',
      does: () => {
        begun.resolve();
        return gate.promise;
      },
    };
    const tools = new TestToolbox({ homes: { findHomes: slow } });
    const gateway = await agentGateway(tools);
    const before = new Chat(gateway, 'chat-1');
    const asked = before.sendMessage({ text: 'Find homes' });
    await begun.promise;
    const question = before.messages.slice(0, 1);
    await before.stop(); // a stop is a disconnect: the run goes on
    await asked;
    const after = new Chat(gateway, 'chat-1', question);
    const resumed = after.resumeStream();
    await eventually('the call is seen again', () => after.tools().length === 1);
    gate.resolve('[{"home":"L001"}]');
    await resumed;
    expect(after.status).toBe('ready');
    expect(after.answer).toContain('L001');
    expect(tools.made).toHaveLength(1);
    const nothing = new Chat(gateway, 'chat-1', after.messages);
    await nothing.resumeStream();
    expect(nothing.messages).toEqual(after.messages);
  });

  it.each([true, false])('asks for consent, and goes on with the same message: %s', async (approved) => {
    const tools = new TestToolbox({ mail: { sendReport } });
    const gateway = await agentGateway(tools);
    const chat = new Chat(gateway, 'chat-1');
    await chat.sendMessage({ text: 'Send the report to a@example.com' });
    expect(chat.tools()).toMatchObject([{ state: 'approval-requested' }]);
    expect(tools.made).toEqual([]);
    await chat.addToolApprovalResponse({ id: 'call-1', approved });
    await chat.sendMessage();
    expect(chat.error).toBeUndefined();
    expect(chat.messages).toHaveLength(2);
    expect(chat.tools()).toMatchObject([{ state: approved ? 'output-available' : 'output-denied' }]);
    expect(tools.made).toHaveLength(approved ? 1 : 0);
    expect(chat.answer).toMatch(approved ? /sent/ : /failed/);
  });

  it('waits for room where a run is read again, so that many that go on do not fill the memory', async () => {
    const gateway = await agentGateway(new TestToolbox({ mail: { sendReport } }));
    const chats = Array.from({ length: 6 }, (_, i) => new Chat(gateway, `chat-${i}`));
    await Promise.all(chats.map((chat) => chat.sendMessage({ text: 'Send the report to a@example.com' })));
    const runs = new Set(chats.map(({ messages }) => `runs:${messages[0]?.id}`));
    const readPage = gateway.broker.readPage.bind(gateway.broker);
    const gate = Promise.withResolvers<void>();
    let reading = 0;
    gateway.broker.readPage = async (query) => {
      if (!runs.has(query.channels[0] as string)) return readPage(query);
      reading++;
      await gate.promise;
      return readPage(query);
    };
    for (const chat of chats) await chat.addToolApprovalResponse({ id: 'call-1', approved: true });
    const answers = chats.map((chat) => chat.sendMessage());
    await eventually('all are decided', async () => {
      const list = (await (await gateway.ask('/api/runs')).json()) as { runs: { waiting?: string[] }[] };
      return list.runs.every(({ waiting }) => waiting === undefined || waiting.length === 0);
    });
    await eventually('three are read', () => reading >= 3);
    await gateway.ask('/api/runs');
    expect(reading).toBe(3);
    gate.resolve();
    await Promise.all(answers);
    for (const chat of chats) expect(chat.tools()).toMatchObject([{ state: 'output-available' }]);
  });

  it('is refused what is no question, with a code', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    const question = (text: string) => ({ id: 'm1', role: 'user', parts: [{ type: 'text', text }] });
    const post = async (messages: unknown) => {
      const response = await gateway.ask('/api/chat', { id: 'chat-1', messages });
      const { code, detail } = (await response.json()) as { code: string; detail: string };
      return detail.includes('500') ? detail : code;
    };
    expect(await post([])).toBe('invalid_body');
    expect(await post([{ id: '../x', role: 'user', parts: [] }])).toBe('invalid_body');
    expect(await post([question(' ')])).toBe('invalid_body');
    expect(await post([question('x'.repeat(17_000))])).toBe('message_too_long');
    const approval = { id: 'call-1', approved: true };
    const decided = [{ type: 'dynamic-tool', state: 'approval-responded', approval }];
    const answer = (parts: unknown[]) => [question('Hi'), { id: 'a-none', role: 'assistant', parts }];
    expect(await post(answer(decided))).toBe('run_not_found');
    expect(await post(answer([]))).toBe('invalid_body');
    const long = { ...decided[0], approval: { ...approval, reason: 'x'.repeat(501) } };
    expect(await post(answer([long]))).toBe('messages: a reason must be a text of at most 500 characters');
  });

  it('is refused an object of so many names that its parsing would delay everybody', async () => {
    const gateway = await agentGateway(new TestToolbox({}));
    const wide = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`n${i}`, 1]));
    const answer = await gateway.ask('/api/chat', { id: 'c1', messages: [wide] });
    expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'batch_too_large' }]);
  });

  it('is told that the run was cancelled or has failed', async () => {
    const begun = Promise.withResolvers<void>();
    const silent: TestTool = {
      description: 'Finds homes.',
      does: () => {
        begun.resolve();
        return new Promise(() => {});
      },
    };
    const gateway = await agentGateway(new TestToolbox({ homes: { findHomes: silent } }));
    const chat = new Chat(gateway, 'chat-1');
    const asked = chat.sendMessage({ text: 'Find homes' });
    await begun.promise;
    const id = chat.messages[0]?.id;
    await eventually('it is cancelled', async () => (await gateway.ask(`/api/runs/${id}/cancel`, {})).ok);
    await asked;
    expect(chat.status).toBe('ready');
    const failing = await agentGateway(new TestToolbox({}), { model: 'sim-401' });
    const failed = new Chat(failing, 'chat-2');
    await failed.sendMessage({ text: 'What are tides?' });
    expect(failed.status).toBe('error');
  });
});
