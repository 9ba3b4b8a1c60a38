// The gateway's own MCP server, as a server of tools of an agent of ours; and what an MCP client learns of an agent's run.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { connect, linesOf } from '../mcp/mcp-client.ts';
import { agentGateway } from './agent-gateway.ts';
import { type AskedModel, scriptedModel } from './scripted-model.ts';
import { TestToolbox } from './test-toolbox.ts';

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

const publish = (gateway: TestGateway, body: object) =>
  fetch(`${gateway.url}/api/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** A gateway whose agent reads the log of another one, in which gpu-3 has failed. */
async function logAgent(env: Record<string, string>) {
  const watched = await openGateway({ RATE_LIMIT_PER_SECOND: '0', MCP: 'on' });
  open.push(watched);
  await publish(watched, {
    channel: 'logs:gpu-3',
    source: 'gpu-3',
    level: 'error',
    msg: 'out of memory',
    run: 'r-17',
  });
  await publish(watched, {
    channel: 'logs:gpu-1',
    source: 'gpu-1',
    level: 'info',
    msg: 'batch of 64 begins',
    run: 'r-17',
  });
  const folder = mkdtempSync(join(tmpdir(), 'agents-'));
  open.push({ close: () => rmSync(folder, { recursive: true }) });
  const file = join(folder, 'agents.json');
  const tools = { search_entries: { read_only: true, untrusted: true } };
  const agent = { name: 'log', system: 'You find out what went wrong.', tools: ['logs__*'] };
  writeFileSync(
    file,
    JSON.stringify({ servers: { logs: { url: `${watched.url}/mcp`, tools } }, agents: [agent] }),
  );
  const gateway = await openGateway({ RATE_LIMIT_PER_SECOND: '0', AGENTS_FILE: file, ...env });
  open.push(gateway);
  const servers = async () => (await fetch(`${gateway.url}/api/agents`)).json();
  await expect.poll(servers, { timeout: 30_000 }).toMatchObject({ servers: [{ name: 'logs', state: 'up' }] });
  const response = await fetch(`${gateway.url}/agents/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userMessage: 'Why did gpu-3 fail last night?' }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as {
    message: string;
    calls: { tool: string; state: string; arguments: unknown }[];
  };
}

it('an agent that is asked why gpu-3 failed last night finds out by the log of another gateway', async () => {
  const { env } = await scriptedModel(({ messages }) => {
    const results = messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
    if (results.length === 0)
      return { calls: [['logs__search_entries', { source: 'gpu-3', level: 'error', since: '14h' }]] };
    const run = /run=(\S+)/.exec(results[0] ?? '')?.[1];
    if (results.length === 1) return { calls: [['logs__search_entries', { run, since: '14h' }]] };
    return { text: `It found: ${results[1]}` };
  });
  const { message, calls } = await logAgent(env);
  expect(calls.map(({ state }) => state)).toEqual(['returned', 'returned']);
  expect(message).toContain('out of memory');
  expect(message).toContain('batch of 64 begins');
});

it('and without a key, too: it searches by source, level and time, and says the error in plain words', async () => {
  const { message, calls } = await logAgent({});
  expect(calls).toMatchObject([
    {
      tool: 'logs__search_entries',
      state: 'returned',
      arguments: { source: 'gpu-3', level: 'error', since: '14h' },
    },
  ]);
  expect(message).toMatch(/The newest: gpu-3, error at .* UTC, in run r-17: out of memory$/);
  expect(message).not.toMatch(/data-|<|#|instructions/);
});

it('an MCP client asks an agent, and learns which of its calls wait and what the others gave', async () => {
  const { env } = await scriptedModel(({ messages }: AskedModel) => {
    if (messages.at(-1)?.role !== 'tool') return { calls: [['homes__find', { city: 'Bend' }]] };
    const isFirst = messages.filter(({ role }) => role === 'tool').length === 1;
    return isFirst ? { calls: [['mail__send', { to: 'a@example.com' }]] } : { text: 'Sent.' };
  });
  const tools = new TestToolbox({
    homes: { find: { does: () => '[{"home":1}]\u202e' } },
    mail: { send: { readOnly: false, approval: 'always', does: () => 'sent' } },
  });
  const gateway = await agentGateway(tools, { env: { ...env, MCP: 'on', MCP_WRITE: 'true' } });
  const { call } = await connect(gateway.url);
  const unknown = await call('start_run', { message: 'Hi', agent: 'nobody' });
  expect(unknown).toMatchObject({ isError: true, text: expect.stringMatching(/^agent_not_found: /) });
  const begun = await call('start_run', { message: 'Send homes', agent: 'helper', message_id: 'm1' });
  expect(begun.text).toContain('Run m1: running');
  await expect
    .poll(async () => (await call('get_run', { id: 'm1' })).text, { timeout: 20_000 })
    .toContain('It waits for the consent of its owner: call-2.');
  const lines = linesOf(await call('get_run', { id: 'm1' }));
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^call-1 homes__find returned after \d+ ms \{"city":"Bend"\}: \[\{"home":1\}\]\\u\{202e\}$/,
    ),
  );
  expect(lines).toContainEqual('call-2 mail__send waiting {"to":"a@example.com"}');
  await gateway.ask('/api/runs/m1/approvals/call-2', { approved: true });
  await expect
    .poll(async () => (await call('get_run', { id: 'm1' })).text, { timeout: 20_000 })
    .toMatch(/^Run m1: finished.*call-2 mail__send returned after \d+ ms \{"to":"a@example.com"\}: sent$/ms);
});
