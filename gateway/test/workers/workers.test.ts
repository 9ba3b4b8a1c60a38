// Several processes on one port are one gateway: limits and metrics are those of all, one that dies is replaced, and a
// signal ends them all.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually, healthy, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { SseClient } from '../../../test-support/sse-client.ts';

const WORKERS = 2;
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let gateway: RunningProcess | undefined;
afterEach(async () => {
  await gateway?.stop('SIGKILL');
});

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
  // All of them: the primary hands connections out in turn.
  await eventually('every worker', async () => (await workersOf(url)).size === WORKERS);
  return { url, process: gateway };
}

/** Process ids, by the names that the workers give. */
async function workersOf(url: string): Promise<Set<number>> {
  const asked = Array.from({ length: 4 * WORKERS }, async () => {
    // What was handed to a worker as it died is never answered.
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
  // The places of its viewers are free again.
  const left = served.filter(({ closed }) => !closed).length;
  expect(left).toBeLessThan(10);
  const again = await Promise.all(
    Array.from({ length: 10 }, () => SseClient.open(`${url}/stream?channels=logs`)),
  );
  expect(again.filter(({ status }) => status === 200)).toHaveLength(10 - left);

  expect(await primary.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  for (const viewer of [...served, ...again].filter(({ status }) => status === 200)) await viewer.ended();
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
