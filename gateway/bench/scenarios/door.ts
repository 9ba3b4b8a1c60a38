// What the door adds to a call: the time to the first token and the calls per second through it, beside the same calls to the same
// service without it. The service answers at once, so that nothing but the way is measured.

import { Agent, request } from 'node:http';
import { healthy, startProcess } from '../../../test-support/process.ts';
import { freePort, startRedis } from '../../../test-support/redis.ts';
import { startSimulator } from '../../../test-support/simulator.ts';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import type { Context, Scenario } from '../scenario.ts';
import { type Figures, median } from '../table.ts';

const CLIENTS = 8;
/** Calls until the times stay the same: with 300, the door still took twice as long as with 2,000. */
const WARM_UP = 2_000;
/** How long a gateway may take to start on a busy machine. */
const START_MS = 120_000;
const BODY = JSON.stringify({
  model: 'bench',
  stream: true,
  messages: [{ role: 'user', content: 'Explain tides' }],
});

/** One streamed call: milliseconds to the first byte of its body, and to its end. */
function call(base: string, agent: Agent): Promise<{ first: number; whole: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ first: number; whole: number }>();
  const began = performance.now();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(BODY) };
  const asked = request(`${base}/chat/completions`, { method: 'POST', headers, agent }, (answer) => {
    if (answer.statusCode !== 200) reject(new Error(`a call was answered with ${answer.statusCode}`));
    let first: number | undefined;
    answer.on('data', () => {
      first ??= performance.now() - began;
    });
    answer.on('end', () => resolve({ first: first ?? Number.NaN, whole: performance.now() - began }));
    answer.on('error', reject);
  });
  asked.on('error', reject).end(BODY);
  return promise;
}

async function measured(base: string, { seconds }: Context): Promise<Figures> {
  const agent = new Agent({ keepAlive: true });
  try {
    for (let i = 0; i < WARM_UP; i++) await call(base, agent);
    // One call at a time says how long the way is; several at a time, how many fit through it.
    const times: number[] = [];
    for (const until = performance.now() + seconds * 500; performance.now() < until; )
      times.push((await call(base, agent)).first);
    let calls = 0;
    const began = performance.now();
    const client = async () => {
      for (const until = began + seconds * 500; performance.now() < until; calls++) await call(base, agent);
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const perSecond = (calls * 1_000) / (performance.now() - began);
    const sorted = times.toSorted((a, b) => a - b);
    return {
      p50: median(times),
      p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
      more: { calls: perSecond },
    };
  } finally {
    agent.destroy();
  }
}

async function direct(context: Context): Promise<Figures> {
  const simulator = await startSimulator('--delay', '0', '--chunk', '1000');
  try {
    return await measured(simulator.baseUrl, context);
  } finally {
    await simulator.process.stop('SIGKILL');
  }
}

/** With the log in Redis, and texts on the callers' channels. */
async function throughDoor(context: Context): Promise<Figures> {
  const [redis, simulator, port] = await Promise.all([
    startRedis(),
    startSimulator('--delay', '0', '--chunk', '1000'),
    freePort(),
  ]);
  const env = {
    REDIS_URL: redis.url,
    PORT: `${port}`,
    LOG_LEVEL: 'warn',
    USE_LLM_MOCK: 'false',
    LLM_BASE_URL: simulator.baseUrl,
  };
  const gateway = startProcess([...NODE_FLAGS, 'gateway/src/main.ts'], { env });
  try {
    await healthy(`http://127.0.0.1:${port}/readyz`, START_MS);
    return await measured(`http://127.0.0.1:${port}/v1`, context);
  } finally {
    await gateway.stop('SIGKILL');
    await simulator.process.stop('SIGKILL');
    await redis.stop();
  }
}

export const doorCalls: Scenario = {
  name: 'door',
  about: 'calls of OpenAI clients: p50 and p99 are ms to the first token, one call at a time',
  designs: { direct, door: throughDoor },
  bars: [
    {
      says: 'ms added to the first token, at the median',
      of: ({ direct: without, door: through }) =>
        without?.p50 === undefined || through?.p50 === undefined ? undefined : through.p50 - without.p50,
      most: 2,
    },
  ],
  remarks: ({ more }) => [`${Math.round(more?.calls ?? Number.NaN)} calls/s, ${CLIENTS} at a time`],
};
