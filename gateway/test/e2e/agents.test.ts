// Runs of agents in gateways that are killed, frozen, or made of several processes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { eventually, healthy } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { scriptedModel } from '../agents/scripted-model.ts';
import { closeAll, mcpServer } from '../tools/mcp-servers.ts';
import { readRun, type ServedGateway, startGateway } from './run-fleet.ts';

// Leases run out, and programs start, in minutes on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const gateways: ServedGateway[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map(({ process }) => process.stop('SIGKILL')));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  await closeAll();
});

/** A server whose one tool sends a mail, and answers when the test lets it. */
async function mail() {
  const sent = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const server = await mcpServer((mcp) => {
    mcp.registerTool('send', { inputSchema: z.object({ to: z.string() }) }, async ({ to }) => {
      sent.resolve();
      await answer.promise;
      return { content: [{ type: 'text', text: `sent to ${to}` }] };
    });
  });
  return { server, sent: sent.promise, letAnswer: () => answer.resolve() };
}

/** The variables of gateways on one log, whose agent sends a mail and then says so. */
async function agentWith(url: string, approval: 'never' | 'always'): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'agents-'));
  folders.push(folder);
  const file = join(folder, 'agents.json');
  const tools = { send: { approval, timeout_ms: 120_000 } };
  const agent = { name: 'helper', system: 'Help.', tools: ['mail__*'] };
  writeFileSync(file, JSON.stringify({ servers: { mail: { url, tools } }, agents: [agent] }));
  const { env } = await scriptedModel(({ messages }) =>
    messages.at(-1)?.role === 'tool'
      ? { text: 'It is sent.' }
      : { calls: [['mail__send', { to: 'a@example.com' }]] },
  );
  const log = { REDIS_URL: redis.url, NAMESPACE: randomNamespace(), LOG_LEVEL: 'info' };
  return { ...env, ...log, AGENTS_FILE: file };
}

const start = async (env: Record<string, string>) => {
  const gateway = await startGateway(env);
  gateways.push(gateway);
  return gateway;
};
const post = (url: string, path: string, body: object) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    // Of several processes on one port, each connection goes to the next.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
  });
const ask = async (url: string) => {
  // A server that hangs at the first question would be missing.
  await eventually('the tools are there', async () => {
    const response = await fetch(`${url}/api/agents`, { headers: { connection: 'close' } });
    return JSON.stringify(await response.json()).includes('"state":"up"');
  });
  const response = await post(url, '/agents/chat-stream', { userMessage: 'Send it', message_id: 'm1' });
  expect(response.status).toBe(200);
  return response;
};
const eventsOf = async (url: string) => {
  const response = await fetch(`${url}/api/entries?channels=runs:m1&limit=1000`);
  const { entries } = (await response.json()) as { entries: { event: string }[] };
  return entries.map(({ event }) => event);
};

it.each(['SIGKILL', 'SIGSTOP'] as const)(
  'a gateway that gets %s in a call leaves a lost run, which names the call; the tool was called once, and nothing is written after the end',
  async (signal) => {
    const { server, sent, letAnswer } = await mail();
    const env = await agentWith(server.url, 'never');
    const [a, b] = [await start(env), await start(env)];
    const stream = await ask(a.url);
    await sent;
    a.process.kill(signal);
    const events = await readRun(b.url, 'm1');
    expect(events.at(-1)?.data).toMatchObject({ code: 'run_lost', final: true, unverified: ['call-1'] });
    letAnswer();
    if (signal === 'SIGSTOP') {
      a.process.kill('SIGCONT');
      await eventually('the gateway has given the run up', async () =>
        (await (await fetch(`${a.url}/metrics`)).text()).includes('llm_streamer_runs_active 0'),
      );
    }
    const after = await eventsOf(b.url);
    expect(after.at(-1)).toBe('run.lost');
    expect(after.filter((event) => event === 'tool.called')).toHaveLength(1);
    expect(server.calls).toHaveLength(1);
    await stream.body?.cancel().catch(() => undefined);
  },
);

it('with several workers, any of them takes the consent, and the run goes on', async () => {
  const { server, letAnswer } = await mail();
  letAnswer();
  const { url } = await start({ ...(await agentWith(server.url, 'always')), WORKERS: '2' });
  const stream = await ask(url);
  await eventually('the call waits', async () => (await eventsOf(url)).includes('tool.asked'));
  const decided = await Promise.all(
    [1, 2, 3, 4].map(() => post(url, '/api/runs/m1/approvals/call-1', { approved: true })),
  );
  expect(decided.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  expect(await stream.text()).toMatch(/"status":"tool_done".*It is sent\..*event: done/s);
  expect(server.calls).toHaveLength(1);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(
    'llm_streamer_tool_call_duration_seconds_count{tool="mail__send",error_type=""} 1',
  );
});

it('a call that waits while Redis is restarted still waits, and is made after the consent', async () => {
  const own = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  try {
    const { server, letAnswer } = await mail();
    letAnswer();
    const { url } = await start({ ...(await agentWith(server.url, 'always')), REDIS_URL: own.url });
    const stream = await ask(url);
    await eventually('the call waits', async () => (await eventsOf(url)).includes('tool.asked'));
    await own.kill('SIGKILL');
    await own.restart();
    await eventually('the consent is taken', async () => {
      const { status } = await post(url, '/api/runs/m1/approvals/call-1', { approved: true });
      return status === 200 || status === 409;
    });
    await healthy(`${url}/readyz`, 60_000);
    const events = await readRun(url, 'm1');
    expect(events.at(-1)?.data).toMatchObject({ status: 'completed', final: true });
    expect(server.calls).toHaveLength(1);
    await stream.body?.cancel().catch(() => undefined);
  } finally {
    await own.stop();
  }
});
