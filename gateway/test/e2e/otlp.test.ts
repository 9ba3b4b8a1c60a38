// OpenTelemetry's exporters with a gateway of several processes: whichever takes a request, its records are one log.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, healthy, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { logsOf, nanos, T0 } from '../otlp/requests.ts';

const REQUESTS = 20;
const START_MS = 180_000;

let redis: RedisServer;
let gateway: RunningProcess;
let url: string;
let otlpUrl: string;
beforeAll(async () => {
  redis = await startRedis();
  const [port, otlpPort] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  otlpUrl = `http://127.0.0.1:${otlpPort}`;
  const env = { PORT: `${port}`, OTLP_PORT: `${otlpPort}`, WORKERS: '2', NAMESPACE: randomNamespace() };
  gateway = startProcess(['gateway/src/main.ts'], { env: { ...env, REDIS_URL: redis.url } });
  await healthy(`${url}/readyz`, START_MS);
}, START_MS + 30_000);
afterAll(async () => {
  await gateway?.stop('SIGKILL');
  await redis?.stop();
});

const send = (base: string, i: number) =>
  fetch(`${base}/v1/logs`, {
    method: 'POST',
    // Each new connection goes to the next worker.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(logsOf({ timeUnixNano: nanos(T0 + i), body: { stringValue: `line ${i}` } })),
  });

it('on either port each record is stored once and heard by the viewers of every worker', async () => {
  const numbers = Array.from({ length: REQUESTS }, (_, i) => i);
  const leave = new AbortController();
  const heard = Array.from({ length: 4 }, async () => {
    const stream = await fetch(`${url}/stream?channels=logs:app`, {
      headers: { connection: 'close' },
      signal: leave.signal,
    });
    const lines = new Set<string>();
    let text = '';
    for await (const chunk of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      for (const [line] of text.matchAll(/line \d+(?=")/g)) lines.add(line);
      if (lines.size === REQUESTS) break;
    }
    return text.match(/line \d+(?=")/g)?.length;
  });
  await eventually('all viewers', async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return /^llm_streamer_connections(?:\{[^}]*\})? 4$/m.test(metrics);
  });
  const answers = await Promise.all(numbers.map((i) => send(i % 2 === 0 ? url : otlpUrl, i)));
  expect(answers.map(({ status }) => status)).toEqual(numbers.map(() => 200));
  expect(await Promise.all(heard)).toEqual([REQUESTS, REQUESTS, REQUESTS, REQUESTS]);
  leave.abort();
  const page = await fetch(`${url}/api/entries?channels=logs:app&after=0-0&limit=1000`);
  const { entries } = (await page.json()) as { entries: { msg: string }[] };
  expect(
    entries
      .map(({ msg }) => msg)
      .filter((msg) => msg.startsWith('line'))
      .sort(),
  ).toEqual(numbers.map((i) => `line ${i}`).sort());
}, 120_000);
