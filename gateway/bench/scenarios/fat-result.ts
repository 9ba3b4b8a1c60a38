// How long a viewer waits for an entry while tools of an agent answer with 20 MB each: the longest pause of a viewer who reads an entry every
// 10 ms from the same gateway. All three clients are in the bench's process, so a pause of its own, or of the
// machine, counts against the gateway; how long that has held its loop does not depend on them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from '../../../test-support/process.ts';
import { startRedis } from '../../../test-support/redis.ts';
import { servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { SseClient } from '../../../test-support/sse-client.ts';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { answerTo, at, closeAll, type Script, scriptedServer } from '../../test/tools/mcp-servers.ts';
import { longestHold, PROBED } from '../loop-hold.ts';
import type { Context, Scenario } from '../scenario.ts';
import { type Figures, median } from '../table.ts';

const RESULT_BYTES = 20_000_000;
const PERIOD_MS = 10;
const START_MS = 120_000;
/** Questions until the code of the way is compiled. */
const WARM_UP = 20;
const TOOL = {
  name: 'listEverything',
  description: 'Lists everything there is.',
  inputSchema: { type: 'object', properties: {} },
};
/** Made once: what the server does for a call must not delay the viewer, who is in its process. */
const BODY = Buffer.from(`${'x'.repeat(RESULT_BYTES)}"}]}}`);
const fat: Script = ({ id }, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const head = { jsonrpc: '2.0', id, result: { resultType: 'complete', content: [{ type: 'text' }] } };
  response.write(`${JSON.stringify(head).slice(0, -4)},"text":"`);
  response.end(BODY);
};

const measured =
  (script: Script) =>
  async ({ seconds }: Context): Promise<Figures> => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-agents-'));
    const [redis, simulator, server] = await Promise.all([
      startRedis(),
      startSimulator('--delay', '0', '--chunk', '1000'),
      scriptedServer(script),
    ]);
    const file = join(folder, 'agents.json');
    const tools = { [TOOL.name]: { read_only: true } };
    const agents = [{ name: 'helper', system: 'Help.', tools: ['all__*'] }];
    writeFileSync(file, JSON.stringify({ servers: { all: { url: server.url, tools } }, agents }));
    const env = {
      ...servedBy(simulator),
      ...{ REDIS_URL: redis.url, AGENTS_FILE: file, PORT: '0', RATE_LIMIT_PER_SECOND: '0' },
      ...{ LOG_LEVEL: 'info', HOST: '127.0.0.1' },
    };
    const gateway = startProcess([...NODE_FLAGS, ...PROBED, 'gateway/src/main.ts'], { env });
    try {
      const line = await gateway.saw(/Server listening at http:\/\/127\.0\.0\.1:\d+/, START_MS);
      const url = line.replace('Server listening at ', '');
      const ask = async () => (await post(`${url}/agents/chat`, { userMessage: 'List everything' })).text();
      for (let i = 0; i < WARM_UP; i++) await ask();
      const calls = server.calls.length;
      await longestHold(gateway);
      const waits = await watched(url, seconds * 1_000, ask);
      const called = server.calls.length - calls;
      const held = await longestHold(gateway);
      if (called === 0) throw new Error(`no tool was called: ${await ask()}`);
      const sorted = waits.toSorted((a, b) => a - b);
      return {
        p50: median(waits),
        p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
        more: { longest: sorted.at(-1) ?? Number.NaN, called, held },
      };
    } finally {
      await gateway.stop('SIGKILL');
      await simulator.process.stop('SIGKILL');
      await redis.stop();
      await closeAll();
      rmSync(folder, { recursive: true });
    }
  };

/** Milliseconds from the sending of each entry to the viewer, while question follows question. */
async function watched(url: string, ms: number, ask: () => Promise<unknown>): Promise<number[]> {
  const viewer = await SseClient.open(`${url}/stream?channels=logs:watched&tail=0`);
  const waits: number[] = [];
  const sent = new Set<Promise<unknown>>();
  const looking = setInterval(() => {
    for (const { attrs } of viewer.entries.slice(waits.length))
      waits.push(performance.now() - Number((attrs as Record<string, unknown>).sent));
  }, 1);
  const writing = setInterval(() => {
    const entry = { channel: 'logs:watched', msg: 'tick', attrs: { sent: performance.now() } };
    const posted = post(`${url}/api/publish`, entry)
      .then((response) => response.text())
      .catch(() => undefined)
      .finally(() => sent.delete(posted));
    sent.add(posted);
  }, PERIOD_MS);
  for (const until = performance.now() + ms; performance.now() < until; ) await ask();
  clearInterval(writing);
  await Promise.all(sent);
  clearInterval(looking);
  viewer.vanish();
  return waits;
}

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

export const fatResults: Scenario = {
  name: 'fat-result',
  about: 'a viewer’s waits for an entry, in ms, while tools of an agent answer with 20 MB each',
  designs: {
    small: measured(answerTo('one thing', [TOOL])),
    fat: measured(at('tools/call', fat, answerTo('', [TOOL]))),
  },
  bars: [
    { says: 'ms, the longest wait of a viewer', of: ({ fat: found }) => found?.more?.longest, most: 100 },
    { says: 'ms, the longest hold of the loop', of: ({ fat: found }) => found?.more?.held, most: 50 },
  ],
  remarks: ({ more }) => [
    `longest ${Math.round(more?.longest ?? Number.NaN)} ms, ${Math.round(more?.called ?? 0)} calls`,
    `the gateway held its loop for ${Math.round(more?.held ?? Number.NaN)} ms at most`,
  ],
};
