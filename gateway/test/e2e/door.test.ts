// The door of several processes on one port is one door: every call is whole, and told once.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, healthy, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';

const CALLS = 20;

let redis: RedisServer;
let simulator: SimulatorProcess;
let gateway: RunningProcess;
let url: string;
beforeAll(async () => {
  [redis, simulator] = await Promise.all([startRedis(), startSimulator('--delay', '1')]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = { PORT: `${port}`, WORKERS: '2', REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
  gateway = startProcess(['gateway/src/main.ts'], { env: { ...env, ...servedBy(simulator) } });
  await healthy(`${url}/readyz`, 90_000);
}, 120_000);
afterAll(async () => {
  await gateway?.stop('SIGKILL');
  await simulator?.process.stop('SIGKILL');
  await redis?.stop();
});

const ask = (base: string, i: number) =>
  fetch(`${base}/chat/completions`, {
    method: 'POST',
    // Each new connection goes to the next worker.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({
      model: 'sim-1',
      stream: true,
      messages: [{ role: 'user', content: `Part ${i}?` }],
    }),
  }).then((answer) => answer.text());

it('every call is as without the door, told once, and counted over all workers', async () => {
  const numbers = Array.from({ length: CALLS }, (_, i) => i);
  const through = await Promise.all(numbers.map((i) => ask(`${url}/v1`, i)));
  expect(through).toEqual(await Promise.all(numbers.map((i) => ask(simulator.baseUrl, i))));
  const entries = async (channels: string) => {
    const answer = await fetch(`${url}/api/entries?channels=${channels}&after=0-0&limit=10000`);
    return ((await answer.json()) as { entries: { event?: string; run?: string }[] }).entries;
  };
  const finished = async (channels: string) =>
    (await entries(channels)).filter(({ event }) => event === 'generation.finished');
  await eventually('all calls in the log', async () => (await finished('runs:*')).length === CALLS);
  expect(new Set((await finished('runs:*')).map(({ run }) => run)).size).toBe(CALLS);
  expect(await finished('logs:generation')).toHaveLength(CALLS);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(`llm_streamer_door_calls_total{operation="chat",outcome="finished"} ${CALLS}`);
});
