// Several processes on one port are one gateway: limits and metrics count all of them, a worker that dies is replaced, and a signal
// ends all.
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  eventually,
  healthy,
  isAlive,
  type RunningProcess,
  startProcess,
} from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { SseClient } from '../../../test-support/sse-client.ts';

const WORKERS = 2;
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let gateway: RunningProcess | undefined;
const frozen = new Set<number>();
afterEach(async () => {
  for (const pid of frozen) thaw(pid);
  await gateway?.stop('SIGKILL');
});

function freeze(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  frozen.add(pid);
}

function thaw(pid: number): void {
  frozen.delete(pid);
  if (isAlive(pid)) process.kill(pid, 'SIGCONT');
}

async function start(env: Record<string, string> = {}) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  gateway = startProcess(['gateway/src/main.ts'], {
    env: {
      PORT: `${port}`,
      WORKERS: `${WORKERS}`,
      REDIS_URL: redis.url,
      NAMESPACE: randomNamespace(),
      LOG_LEVEL: 'error',
      ...env,
    },
  });
  await healthy(`${url}/readyz`);
  // The primary passes connections to the workers in turn, so this reaches all of them.
  await eventually('every worker', async () => (await workersOf(url)).size === WORKERS);
  return { url, process: gateway };
}

/** The process ids in the names that the workers give. */
async function workersOf(url: string): Promise<Set<number>> {
  const asked = Array.from({ length: 4 * WORKERS }, async () => {
    // A connection that was passed to a worker as it died gets no answer.
    const signal = AbortSignal.timeout(5_000);
    const response = await fetch(`${url}/sse/health`, { headers: { connection: 'close' }, signal });
    return Number(/-(\d+)$/.exec(((await response.json()) as { gateway: string }).gateway)?.[1]);
  });
  return new Set(await Promise.all(asked));
}

const metric = async (url: string, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1]);

it('limits, metrics and streams are those of one gateway, and a dead worker is replaced', async () => {
  const { url, process: primary } = await start({ MAX_CONNECTIONS: '10' });
  const crowd = await Promise.all(
    Array.from({ length: 16 }, () => SseClient.open(`${url}/stream?channels=logs`)),
  );
  const served = crowd.filter(({ status }) => status === 200);
  expect(served).toHaveLength(10);
  expect(await metric(url, 'llm_streamer_connections')).toBe(10);
  expect(await metric(url, 'llm_streamer_refused_total')).toBe(6);
  expect(await metric(url, 'llm_streamer_log_ready')).toBe(1);

  await Promise.all(served.map((viewer) => viewer.saw('live')));
  await fetch(`${url}/api/publish`, {
    method: 'POST',
    body: JSON.stringify({ channel: 'logs', msg: 'to all' }),
  });
  await Promise.all(served.map((viewer) => viewer.got(1)));

  const before = await workersOf(url);
  const [victim = 0] = before;
  process.kill(victim, 'SIGKILL');
  await eventually('a new worker', async () => {
    const now = await workersOf(url);
    return now.size === WORKERS && !now.has(victim);
  });
  // The connections of its viewers no longer count.
  const left = served.filter(({ closed }) => !closed).length;
  expect(left).toBeLessThan(10);
  const again = await Promise.all(
    Array.from({ length: 10 }, () => SseClient.open(`${url}/stream?channels=logs`)),
  );
  expect(again.filter(({ status }) => status === 200)).toHaveLength(10 - left);

  expect(await primary.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  for (const viewer of [...served, ...again].filter(({ status }) => status === 200)) await viewer.ended();
});

/** The totals from a worker that answers. The primary passes connections to the workers in turn, also to one that hangs. */
const totals = (url: string) =>
  eventually('totals', async () => {
    const response = await fetch(`${url}/metrics`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(10_000),
    });
    expect(response.status).toBe(200);
    return response.text();
  });

const up = (metrics: string) =>
  [...metrics.matchAll(/^llm_streamer_worker_up\{worker="(\d)"\} ([01])$/gm)].map(([, worker, value]) => [
    worker,
    value,
  ]);

it('metrics name the worker that hangs, has died or starts, and do not end a process', async () => {
  const { url, process: primary } = await start();
  expect(up(await totals(url))).toEqual([
    ['1', '1'],
    ['2', '1'],
  ]);
  const [victim = 0] = await workersOf(url);

  freeze(victim);
  const without = await totals(url);
  expect(new Map(up(without) as [string, string][]).size).toBe(WORKERS);
  expect(up(without).map(([, value]) => value)).toEqual(expect.arrayContaining(['0', '1']));
  expect(without).toMatch(/^llm_streamer_connections 0$/m);
  // The totals that were requested while the worker hung, and its late answers, arrive here.
  await Promise.all([totals(url), totals(url)]);
  thaw(victim);
  await eventually('both counted again', async () =>
    up(await totals(url)).every(([, value]) => value === '1'),
  );

  process.kill(victim, 'SIGKILL');
  expect(up(await totals(url)).map(([, value]) => value)).toContain('0');
  await eventually('the next one is counted', async () =>
    up(await totals(url)).every(([, value]) => value === '1'),
  );
  expect(isAlive(primary.pid)).toBe(true);
  expect(primary.stderr).not.toContain('Operation timed out');
});

it('a primary that does not answer is named, and a connection that it admitted too late is released', async () => {
  const { url, process: primary } = await start({ MAX_CONNECTIONS: '1' });
  // The primary accepts the connections. While it hangs, workers serve only the connections that they have already.
  const ask = async (agent: Agent, path: string, headers: OutgoingHttpHeaders = {}) => {
    const [response] = (await once(get(`${url}${path}`, { agent, headers }), 'response')) as [
      IncomingMessage,
    ];
    return { status: response.statusCode, body: await text(response) };
  };
  const agents = Array.from({ length: 3 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  for (const agent of agents) await ask(agent, '/healthz');
  const [first, second, third] = agents as [Agent, Agent, Agent];

  freeze(primary.pid);
  const [plain, browser, metrics] = await Promise.all([
    ask(first, '/stream'),
    ask(second, '/stream', { accept: 'text/event-stream' }),
    ask(third, '/metrics'),
  ]);
  expect(plain).toMatchObject({ status: 503, body: expect.stringContaining('primary_unavailable') });
  expect(browser).toMatchObject({
    status: 200,
    body: expect.stringMatching(/event: bye\n.*primary_unavailable/s),
  });
  expect(metrics).toMatchObject({ status: 503, body: expect.stringContaining('primary_unavailable') });

  thaw(primary.pid);
  await eventually('a free place', async () => {
    const viewer = await SseClient.open(`${url}/stream?channels=logs`);
    viewer.vanish();
    return viewer.status === 200;
  });
  for (const agent of agents) agent.destroy();
});

it('say in one line why they cannot start', async () => {
  const lonely = startProcess(['gateway/src/main.ts'], { env: { PORT: '0', WORKERS: '2' } });
  expect(await lonely.exited).toEqual({ code: 1, signal: null });
  expect(lonely.stderr).toMatch(/^gateway: WORKERS: more than one needs REDIS_URL[^\n]*\n$/);

  const { url } = await start();
  const late = startProcess(['gateway/src/main.ts'], {
    env: { PORT: new URL(url).port, WORKERS: '2', REDIS_URL: redis.url, LOG_LEVEL: 'error' },
  });
  expect(await late.exited).toEqual({ code: 1, signal: null });
  expect(late.stderr).toContain('is taken; set PORT to another');
});
