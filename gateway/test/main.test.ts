// The gateway's process: if it cannot start, it prints one clear line on stderr and exits with a code other than 0; if it can, it
// ends cleanly.
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, startProcess } from '../../test-support/process.ts';
import { startRedis } from '../../test-support/redis.ts';
import { SseClient } from '../../test-support/sse-client.ts';

const start = (env: Record<string, string>) =>
  startProcess(['gateway/src/main.ts'], { env: { PORT: '0', LOG_LEVEL: 'fatal', ...env } });

/** Runs the gateway to its end, and returns its output. */
const refused = async (env: Record<string, string>) => {
  const program = start(env);
  const { code, signal } = await program.exited;
  return { code, signal, stdout: program.stdout, stderr: program.stderr };
};

const oneLine = (text: RegExp) => ({
  code: 1,
  signal: null,
  stdout: '',
  stderr: expect.stringMatching(text),
});

describe('a gateway that cannot start says why in one line', () => {
  it('the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const program = await refused({ PORT: `${port}` });
    server.close();
    expect(program).toEqual(oneLine(new RegExp(`^gateway: port ${port} is taken; set PORT to another\\n$`)));
  });

  it('HOST is no address of this machine', async () => {
    expect(await refused({ AUTH: 'off', HOST: '192.0.2.1' })).toEqual(
      oneLine(/^gateway: HOST is no address of this machine\n$/),
    );
  });

  it('Redis cannot be reached', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const program = await refused({ REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` });
    expect(program).toEqual(oneLine(/^gateway: REDIS_URL: [^\n]*ECONNREFUSED[^\n]*\n$/));
    expect(program.stderr).not.toContain('hunter2');
  });

  it('Redis wants another password', async () => {
    const redis = await startRedis({ args: ['--requirepass', 'right'] });
    const program = await refused({ REDIS_URL: redis.url.replace('redis://', 'redis://:hunter2@') });
    await redis.stop();
    expect(program).toEqual(oneLine(/^gateway: REDIS_URL: [^\n]*(WRONGPASS|password)[^\n]*\n$/));
    expect(program.stderr).not.toContain('hunter2');
  });

  it('REDIS_URL is none', async () => {
    expect(await refused({ REDIS_URL: 'localhost:6379' })).toEqual(
      oneLine(/^gateway: REDIS_URL: must look like redis:\/\/[^\n]*\n$/),
    );
  });

  it('the dashboard is not built', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-unbuilt-'));
    const part = (path: string) => !/\/(test|node_modules)$/.test(path);
    await cp(join(ROOT, 'gateway'), join(dir, 'gateway'), { recursive: true, filter: part });
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    const program = startProcess([join(dir, 'gateway/src/main.ts')], {
      cwd: dir,
      env: { PORT: '0', LOG_LEVEL: 'fatal' },
    });
    const { code, signal } = await program.exited;
    await rm(dir, { recursive: true });
    expect({ code, signal, stdout: program.stdout, stderr: program.stderr }).toEqual(
      oneLine(/^gateway: the dashboard is not built; run: [^\n]+\n$/),
    );
  });

  it('a variable is invalid', async () => {
    expect(await refused({ SSE_KEEPALIVE_MS: '-5' })).toEqual(
      oneLine(/^gateway: SSE_KEEPALIVE_MS is "-5": [^\n]*\n$/),
    );
    expect(await refused({ TRUST_PROXY: 'x' })).toEqual(oneLine(/^gateway: TRUST_PROXY is "x": [^\n]*\n$/));
  });
});

describe('a gateway that starts', () => {
  it('prints no warning, and at SIGTERM says bye to its viewers and exits with 0', async () => {
    const program = start({ LOG_LEVEL: 'info' });
    const url = (await program.saw(/http:\/\/127\.0\.0\.1:\d+/)) ?? '';
    const viewer = await SseClient.open(`${url}/stream`);
    await viewer.saw('live');
    const exit = await program.stop('SIGTERM');
    await viewer.ended();
    expect(exit).toEqual({ code: 0, signal: null });
    expect(viewer.named('bye')[0]?.data.code).toBe('shutdown');
    expect(program.output).not.toMatch(/warning|deprecat/i);
  });
});
