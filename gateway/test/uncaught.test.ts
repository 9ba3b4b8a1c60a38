// An error that nothing catches, in a real gateway: one line, a bye to each viewer, and an exit code that is not 0.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  eventually,
  healthy,
  isAlive,
  type RunningProcess,
  startProcess,
} from '../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../test-support/redis.ts';
import { SseClient } from '../../test-support/sse-client.ts';

/** A module that Node loads before the program, and that throws at SIGUSR2. */
const bug = (code: string) =>
  `data:text/javascript,process.on('SIGUSR2', () => { ${encodeURIComponent(code)} })`;
const BUG = bug('throw new Error("first\\nsecond")');

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let gateway: RunningProcess | undefined;
afterEach(async () => {
  await gateway?.stop('SIGKILL');
});

const onRedis = () => ({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });

/** Starts a gateway with the bug. The port is chosen here, because several workers do not print theirs. */
async function start(code: string, env: Record<string, string>) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  gateway = startProcess(['--import', code, 'gateway/src/main.ts'], {
    env: { PORT: `${port}`, LOG_LEVEL: 'error', ...env },
  });
  await healthy(`${url}/readyz`);
  return { url, program: gateway };
}

async function viewer(url: string): Promise<SseClient> {
  const client = await SseClient.open(`${url}/stream`);
  await client.saw('live');
  return client;
}

const workerOf = (client: SseClient) =>
  Number(/-(\d+)$/.exec(`${client.named('hello')[0]?.data.gateway}`)?.[1]);

describe.each([
  ['an exception', BUG, /^.* FATAL .*uncaught: Error: first \| second \| at .*\n$/],
  [
    'a rejection',
    bug('Promise.reject(new Error("first"))'),
    /^.* FATAL .*uncaught: Error: first \| at .*\n$/,
  ],
  ['no error at all', bug('throw undefined'), /^.* FATAL .*uncaught: undefined\n$/],
  [
    'one after another',
    bug('setInterval(() => { throw new Error("first") })'),
    /^.* FATAL .*Error: first .*\n$/,
  ],
])('%s', (_, code, line) => {
  it.each([
    ['the embedded log', () => ({})],
    ['Redis', onRedis],
  ])('on %s is one line, a bye, and code 1', async (_, env) => {
    const { url, program } = await start(code, env());
    const client = await viewer(url);
    program.kill('SIGUSR2');
    await client.ended();
    expect(client.named('bye')[0]?.data.code).toBe('shutdown');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.output).toMatch(line);
  });
});

it('in a worker ends that worker, and another takes its place', async () => {
  const { url, program } = await start(BUG, { WORKERS: '2', ...onRedis() });
  const client = await viewer(url);
  process.kill(workerOf(client), 'SIGUSR2');
  await client.ended();
  expect(client.named('bye')[0]?.data.code).toBe('shutdown');
  await program.saw(/worker \d+ \(\d+\) ended with 1; starting another/);
  expect(program.output.match(/uncaught/g)).toHaveLength(1);
  await healthy(`${url}/readyz`); // the other worker may not have been there yet, either
  await viewer(url);
  expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null });
});

it('in the primary ends all workers, each with a bye', async () => {
  const { url, program } = await start(BUG, { WORKERS: '2', ...onRedis() });
  const clients = await eventually('a viewer of each worker', async () => {
    const some = await Promise.all([viewer(url), viewer(url)]);
    return new Set(some.map(workerOf)).size === 2 && some;
  });
  program.kill('SIGUSR2');
  for (const client of clients) {
    await client.ended();
    expect(client.named('bye')[0]?.data.code).toBe('shutdown');
  }
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(program.output.match(/uncaught/g)).toHaveLength(1);
  expect(clients.map(workerOf).filter(isAlive)).toEqual([]);
});
