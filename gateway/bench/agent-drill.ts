// What agents cost, and how soon they stop, as figures that no test asserts: `cancel` from the request to the abort that a tool's server sees,
// `delete` of a conversation with a thousand runs on both logs, `cpu` of a run beside the same run by `streamText`.
//
//   npx node gateway/bench/agent-drill.ts cancel|delete|cpu

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { isStepCount, jsonSchema, streamText, tool } from 'ai';
import { RedisClient } from '../../shared/src/broker/redis/client.ts';
import { startProcess } from '../../test-support/process.ts';
import { startRedis } from '../../test-support/redis.ts';
import { servedBy, startSimulator } from '../../test-support/simulator.ts';
import { runLoop } from '../src/agents/loop.ts';
import type { LlmToolCall } from '../src/llm/model.ts';
import { ProviderModel } from '../src/llm/provider.ts';
import { answerTo, at, closeAll, scriptedServer } from '../test/tools/mcp-servers.ts';
import { longestHold, PROBED } from './loop-hold.ts';
import { cpuOf } from './process-figures.ts';
import { median } from './table.ts';

const START_MS = 180_000;
const TOOL = {
  name: 'findHomes',
  description: 'Finds homes.',
  inputSchema: { type: 'object', properties: {} },
};
const QUESTION = 'Find homes';
const say = (line: string) => process.stdout.write(`${line}\n`);
const ms = (value: number | undefined) => `${(value ?? Number.NaN).toFixed(1)} ms`;

const DRILLS: Record<string, () => Promise<void>> = { cancel, delete: deleted, cpu };
const drill = DRILLS[process.argv[2] ?? ''];
if (!drill) say(`one of: ${Object.keys(DRILLS).join(', ')}`);
else await drill();
process.exit(drill ? 0 : 2);

/** A gateway whose agent has one tool, of the server at `url`. */
async function gatewayWith(url: string, env: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-agents-'));
  const file = join(folder, 'agents.json');
  const servers = { homes: { url, tools: { [TOOL.name]: { read_only: true, timeout_ms: 60_000 } } } };
  const agents = [{ name: 'helper', system: 'Help.', tools: ['homes__*'] }];
  writeFileSync(file, JSON.stringify({ servers, agents }));
  const gateway = startProcess([...PROBED, 'gateway/src/main.ts'], {
    env: { PORT: '0', RATE_LIMIT_PER_SECOND: '0', LOG_LEVEL: 'info', AGENTS_FILE: file, ...env },
  });
  const line = await gateway.saw(/Server listening at http:\/\/127\.0\.0\.1:\d+/, START_MS);
  const stop = async () => {
    await gateway.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  };
  return { gateway, base: line.replace('Server listening at ', ''), stop };
}

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function cancel(): Promise<void> {
  let called = Promise.withResolvers<void>();
  let aborted = Promise.withResolvers<number>();
  const server = await scriptedServer(
    at(
      'tools/call',
      (_, response) => {
        response.on('close', () => aborted.resolve(performance.now()));
        called.resolve();
      },
      answerTo('', [TOOL]),
    ),
  );
  const [redis, simulator] = await Promise.all([startRedis(), startSimulator('--delay', '0')]);
  for (const log of ['memory', 'Redis']) {
    const env = { ...servedBy(simulator), ...(log === 'Redis' && { REDIS_URL: redis.url }) };
    const { base, stop } = await gatewayWith(server.url, env);
    const times: number[] = [];
    for (let i = 0; i < 100; i++) {
      called = Promise.withResolvers();
      aborted = Promise.withResolvers();
      const stream = post(`${base}/agents/chat-stream`, { userMessage: QUESTION, message_id: `m-${i}` });
      await called.promise;
      const began = performance.now();
      const answer = post(`${base}/api/runs/m-${i}/cancel`, {});
      times.push((await aborted.promise) - began);
      await (await answer).text();
      await (await stream).text();
    }
    say(
      `cancel, log in ${log}: ${times.length}, p50 ${ms(median(times))}, maximum ${ms(Math.max(...times))}`,
    );
    await stop();
  }
  await simulator.process.stop('SIGKILL');
  await redis.stop();
  await closeAll();
}

async function deleted(): Promise<void> {
  const runs = 1_000;
  const server = await scriptedServer(answerTo('[{"home":"L001"}]', [TOOL]));
  const [redis, simulator] = await Promise.all([
    startRedis(),
    startSimulator('--delay', '0', '--chunk', '2'),
  ]);
  for (const log of ['memory', 'Redis']) {
    const env = { ...servedBy(simulator), ...(log === 'Redis' && { REDIS_URL: redis.url }) };
    const { gateway, base, stop } = await gatewayWith(server.url, env);
    let next = 0;
    const asking = async () => {
      for (let i = next++; i < runs; i = next++) {
        const body = { userMessage: QUESTION, message_id: `m-${i}`, conversation_id: 'talk' };
        const answer = await post(`${base}/agents/chat`, body);
        if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
        await answer.text();
      }
    };
    await Promise.all(Array.from({ length: 16 }, asking));
    const has = async (path: string) => (await fetch(`${base}${path}`)).json() as Promise<{ runs?: unknown }>;
    const before = await has('/api/conversations/talk');
    await longestHold(gateway);
    // Redis runs one script at a time, so what a script takes is what everybody else waits.
    const client = new RedisClient(redis.url, 'drill', undefined);
    await client.runId(5_000);
    let longestPing = 0;
    let isPinging = true;
    const pinging = (async () => {
      while (isPinging) {
        const sent = performance.now();
        await client.redis.ping();
        longestPing = Math.max(longestPing, performance.now() - sent);
      }
    })();
    const began = performance.now();
    const answer = await fetch(`${base}/api/conversations/talk`, { method: 'DELETE' });
    const took = performance.now() - began;
    isPinging = false;
    await pinging;
    client.close();
    const held = await longestHold(gateway);
    const left = await Promise.all(
      ['/api/conversations/talk', '/api/runs/m-0', `/api/runs/m-${runs - 1}`].map(
        async (path) => (await fetch(`${base}${path}`)).status,
      ),
    );
    say(
      `delete, log in ${log}: ${JSON.stringify(before.runs ?? runs)} runs, answered ${answer.status} after ${ms(took)}; the loop was held ${ms(held)} at most, a PING to Redis took ${ms(longestPing)} at most; afterwards ${left.join(', ')}`,
    );
    await stop();
  }
  await simulator.process.stop('SIGKILL');
  await redis.stop();
  await closeAll();
}

/** Two calls of the model and one of a tool, 200 times after as many that do not count. */
async function cpu(): Promise<void> {
  const runs = 200;
  const simulator = await startSimulator('--delay', '0', '--chunk', '1');
  const homes = Array.from({ length: 30 }, (_, i) => ({
    home: `L${100 + i}`,
    city: 'Portland',
    price: 425_000 + i,
  }));
  const result = JSON.stringify(homes);
  const { baseUrl } = simulator;
  const own = { pid: process.pid };
  const measure = async (name: string, { pid }: { pid: number }, run: () => Promise<number>) => {
    let chunks = 0;
    for (let i = 0; i < runs; i++) chunks = await run();
    const before = cpuOf(pid);
    for (let i = 0; i < runs; i++) await run();
    say(`cpu, ${name}: ${ms(((cpuOf(pid) - before) * 1_000) / runs)} a run (${chunks} pieces)`);
  };

  const model = createOpenAICompatible({ name: 'any', baseURL: baseUrl, includeUsage: true })('sim-1');
  const findHomes = tool({
    description: TOOL.description,
    inputSchema: jsonSchema<object>(TOOL.inputSchema as never),
    execute: async () => result,
  });
  await measure('streamText', own, async () => {
    const prompt = [{ role: 'user' as const, content: QUESTION }];
    const tools = { homes__findHomes: findHomes };
    const answer = streamText({
      model,
      instructions: 'Help.',
      messages: prompt,
      tools,
      stopWhen: isStepCount(9),
    });
    let pieces = 0;
    for await (const { type } of answer.fullStream) if (type === 'text-delta') pieces++;
    return pieces;
  });

  const port = new ProviderModel({ firstContentMs: 60_000, chunkMs: 60_000 });
  const target = { provider: 'any', baseUrl, model: 'sim-1' };
  const offered = [{ name: 'homes__findHomes', description: TOOL.description, parameters: TOOL.inputSchema }];
  await measure('the loop over the port', own, async () => {
    let pieces = 0;
    let made = 0;
    await runLoop([{ role: 'user', content: QUESTION }], {
      limits: { steps: 8, calls_per_step: 8, calls: 24, same_call: 3, timeout_ms: 60_000 },
      tools: () => offered as never,
      calls: () => made,
      call: async (calls) => {
        made += calls.length;
        return calls.map((call) => ({ role: 'tool', call, content: result }));
      },
      ask: async (messages) => {
        let text = '';
        const calls: LlmToolCall[] = [];
        const request = { target, messages, tools: offered };
        for await (const event of port.stream(request, AbortSignal.timeout(60_000))) {
          if (event.type === 'tool-call') calls.push(event.call);
          if (event.type !== 'text') continue;
          pieces++;
          text += event.text;
        }
        const usage = { inputTokens: 0, outputTokens: 0, estimated: false };
        return { ok: true, text, calls, cut: false, usage } as never;
      },
    });
    return pieces;
  });

  const server = await scriptedServer(answerTo(result, [TOOL]));
  const { gateway, base, stop } = await gatewayWith(server.url, servedBy(simulator));
  await measure('a gateway, with HTTP, MCP and the log in memory', gateway, async () => {
    const answer = await post(`${base}/agents/chat-stream`, { userMessage: QUESTION });
    return (await answer.text()).split('event: content').length - 1;
  });
  await stop();
  await simulator.process.stop('SIGKILL');
  await closeAll();
}
