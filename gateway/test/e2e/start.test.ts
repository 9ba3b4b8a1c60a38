// `npm start` as a user runs it: the page fills, and no process is left, however it ends.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, isAlive, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { producersOf, readStream } from '../../../test-support/read-stream.ts';
import { freePort, randomNamespace, startRedis } from '../../../test-support/redis.ts';

const running: RunningProcess[] = [];

function start(env: Record<string, string> = {}, ...args: string[]): RunningProcess {
  // An empty REDIS_URL counts as unset, also if a .env file sets it.
  const process = startProcess(['scripts/start.ts', ...args], { env: { REDIS_URL: '', PORT: '0', ...env } });
  running.push(process);
  return process;
}

/** Starts the product, and waits for the URL that it prints. */
async function started(env: Record<string, string> = {}, ...args: string[]) {
  const process = start(env, ...args);
  const url = await process.saw(/http:\/\/\S+/);
  return { process, url };
}

/** The child processes of a process, by the program that they run. */
function childrenOf(pid: number): { pid: number; command: string }[] {
  const table = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return table.split('\n').flatMap((line) => {
    const [, child, parent, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return Number(parent) === pid ? [{ pid: Number(child), command }] : [];
  });
}

const allGone = (children: { pid: number }[]) =>
  eventually('all children are gone', () => children.every(({ pid }) => !isAlive(pid)));

afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
});

describe('npm start', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'fills the stream from three sources, says little, and %s ends it all',
    async (signal) => {
      const { process, url } = await started();
      const seen = await readStream(`${url}/stream?tail=100`, (entries) => producersOf(entries).size === 3);
      expect(producersOf(seen)).toEqual(new Set(['producer-1', 'producer-2', 'producer-3']));
      expect((await fetch(url)).headers.get('content-type')).toMatch(/^text\/html/);

      const children = childrenOf(process.pid);
      expect(children).toHaveLength(4);
      expect(await process.stop(signal)).toEqual({ code: 0, signal: null });
      expect(children.filter(({ pid }) => isAlive(pid))).toEqual([]);
      expect(process.stdout.split(url)).toHaveLength(2); // the URL stands there once
      expect(process.stderr).toBe(''); // no line is on stderr
    },
  );

  it('shows the programs’ own logs if LOG_LEVEL is set', async () => {
    const { process } = await started({ LOG_LEVEL: 'info' });
    await process.saw(/^producer-3: info: simulating /m);
    expect(process.output).toMatch(/^gateway: info: Server listening/m);
  });

  it('goes through Redis where REDIS_URL is set', async () => {
    const redis = await startRedis();
    try {
      const { url } = await started({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });
      await readStream(`${url}/stream?tail=100`, (entries) => producersOf(entries).size === 3);
      expect(await (await fetch(`${url}/sse/health`)).json()).toMatchObject({ status: 'ok', redis: true });
    } finally {
      await Promise.all(running.splice(0).map((process) => process.stop()));
      await redis.stop();
    }
  });

  it('starts as many producers as it is asked for', async () => {
    const { process } = await started({}, '--producers', '0');
    expect(childrenOf(process.pid).map(({ command }) => command.includes('gateway/src/main.ts'))).toEqual([
      true,
    ]);
  });

  it('starts no producers where the gateway would refuse them, and says what they need', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'start-'));
    try {
      const { process } = await started({ AUTH: 'on', AUTH_FILE: join(folder, 'auth.json') });
      await process.saw('no simulated producers: with AUTH=on they need a key');
      expect(childrenOf(process.pid)).toHaveLength(1);
      expect(process.output).not.toMatch(/ended unexpectedly|3 simulated/);
    } finally {
      await Promise.all(running.splice(0).map((process) => process.stop()));
      await rm(folder, { recursive: true });
    }
  });

  it('reports a producer that dies and goes on without it', async () => {
    const { process, url } = await started({}, '--producers', '2');
    const doomed = childrenOf(process.pid).find(({ command }) => command.endsWith('--source producer-1'));
    globalThis.process.kill(doomed?.pid ?? 0, 'SIGKILL');
    await process.saw('producer-1 ended unexpectedly (SIGKILL)');
    await readStream(`${url}/stream?source=producer-2`, (entries) => entries.length > 0);
    expect(await process.stop('SIGINT')).toEqual({ code: 0, signal: null });
  });

  it('ends with an error when the gateway dies, and ends the producers, too', async () => {
    const { process } = await started();
    const children = childrenOf(process.pid);
    const gateway = children.find(({ command }) => command.includes('gateway/src/main.ts'));
    globalThis.process.kill(gateway?.pid ?? 0, 'SIGKILL');
    expect(await process.exited).toEqual({ code: 1, signal: null });
    expect(process.stderr).toMatch(/^gateway ended unexpectedly \(SIGKILL\)$/m);
    expect(children.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('leaves no process even when it is killed itself', async () => {
    const { process } = await started();
    const children = childrenOf(process.pid);
    expect(children).toHaveLength(4);
    process.kill('SIGKILL');
    await process.exited;
    await allGone(children);
  });

  it('can be stopped before it is ready', async () => {
    const process = start();
    const children = await eventually('a child', () => {
      const found = childrenOf(process.pid);
      return found.length > 0 && found;
    });
    expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    await allGone(children);
  });

  it('ends with the gateway’s one line when the port is taken', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    try {
      const process = start({ PORT: `${port}` });
      expect(await process.exited).toEqual({ code: 1, signal: null });
      expect(process.output).toBe(`gateway: port ${port} is taken; set PORT to another\n`);
    } finally {
      other.close();
    }
  });

  it.each([
    [{ PORT: 'http' }, [], /^start: PORT is "http": .*\n$/],
    [{}, ['--producers', 'many'], /^start: --producers "many": must be a whole number from 0 to 50\n$/],
    [{}, ['--bogus'], /^start: Unknown option '--bogus'.*\n$/],
  ])('refuses %j %j with one clear line', async (env, args, line) => {
    const process = start(env as Record<string, string>, ...args);
    expect(await process.exited).toEqual({ code: 1, signal: null });
    expect(process.output).toMatch(line);
  });

  it('explains itself', async () => {
    const process = start({}, '--help');
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(process.stdout).toContain('--producers N');
  });
});
