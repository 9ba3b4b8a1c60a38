// Anything wrong with a command line or the environment becomes one clear line, and exit code 2.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startProcess } from '../../test-support/process.ts';
import { defaultSource } from '../src/arguments.ts';
import { readProducerConfig } from '../src/config.ts';
import { pipe } from '../src/pipe.ts';
import { simulate } from '../src/simulate.ts';

const commands = { pipe, simulate };
const never = new AbortController().signal;

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const program = startProcess(['producer/src/main.ts', ...args], { env, input: '' });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

function catching(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was accepted');
}

describe('the command line', () => {
  it.each([
    ['simulate', ['--rat', '3'], "Unknown option '--rat'; see simulate --help"],
    ['simulate', ['--rate', '-3'], "Option '--rate' argument is ambiguous; see simulate --help"],
    ['pipe', ['file.txt'], "Unexpected argument 'file.txt'; see pipe --help"],
    ['pipe', ['--channel'], "Option '--channel <value>' argument missing; see pipe --help"],
    ['pipe', ['--tee=yes'], "Option '--tee' does not take an argument; see pipe --help"],
    ['pipe', ['--channel', 'a b'], '--channel "a b": must be 1 to 200 of A-Z a-z 0-9 _ . - : /'],
    ['pipe', ['--channel', 'runs:m1'], '--channel runs:m1: is reserved'],
    ['pipe', ['--level', 'loud'], '--level "loud": must be one of trace, debug, info, warn, error, fatal'],
    ['pipe', ['--source', 'x'.repeat(201)], '--source: must be 1 to 200 characters'],
    ['simulate', ['--source', ''], '--source: must be 1 to 200 characters'],
    ['simulate', ['--rate', 'fast'], '--rate "fast": must be a number from 0.001 to 1000'],
    ['simulate', ['--rate', '0'], '--rate "0": must be a number from 0.001 to 1000'],
    ['simulate', ['--flood', ''], '--flood "": must be a number from 1 to 1000000'],
    [
      'simulate',
      ['--duration', '5 minutes'],
      '--duration "5 minutes": must be a time like 90, 30s, 5m or 1.5h',
    ],
    ['simulate', ['--duration', '0'], '--duration "0": must be a time like 90, 30s, 5m or 1.5h'],
    ['simulate', ['--messages', '/absent'], '--messages /absent: cannot be read (ENOENT)'],
  ] as const)('of %s refuses %j', async (command, args, message) => {
    await expect(commands[command](args, never)).rejects.toMatchObject({ name: 'CodedError', message });
  });

  it('that is wrong is one line on stderr and exit code 2', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-command-'));
    const path = join(folder, 'messages.txt');
    await writeFile(path, '# mine\n\ninfo logs {modell}\n');
    const gateway = { GATEWAY_URL: 'http://127.0.0.1:1' };
    const [typo, template, nowhere] = await Promise.all([
      run(['strean'], gateway),
      run(['simulate', '--messages', path], gateway),
      run(['pipe'], { GATEWAY_URL: '', REDIS_URL: '' }),
    ]);
    expect(typo.stderr).toBe('producer: unknown command "strean": use simulate or pipe; see --help\n');
    expect(template.stderr).toMatch(
      /^producer: --messages .*messages.txt line 3: \{modell\} is not one of \{model\}.*\n$/,
    );
    expect(nowhere.stderr).toMatch(/^producer: nowhere to publish: set REDIS_URL .* or GATEWAY_URL .*\n$/);
    for (const { code, stdout } of [typo, template, nowhere]) expect([code, stdout]).toEqual([2, '']);
    await rm(folder, { recursive: true });
  });

  it.each([
    [['--help'], 'REDIS_URL wins'],
    [['simulate', '--help'], '--seed TEXT'],
    [['pipe', '--help'], 'Exit code: 0'],
  ])('explains itself: %j', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect(stdout).toContain(text);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
});

describe('the environment', () => {
  it.each([
    [{ REDIS_URL: 'http://user:secret@host' }, 'REDIS_URL: must look like redis://'],
    [{ GATEWAY_URL: 'host:8000' }, 'GATEWAY_URL: must look like http://host:port[/base]'],
    [{ GATEWAY_URL: 'http://user:secret@host' }, 'GATEWAY_URL: must look like http://host:port[/base]'],
    [{ GATEWAY_URL: 'http://host/?token=secret' }, 'GATEWAY_URL: must look like http://host:port[/base]'],
    [{}, 'nowhere to publish: set REDIS_URL'],
    [{ GATEWAY_URL: 'http://host', GATEWAY_KEY: 'secret key' }, 'GATEWAY_KEY: must be a key or token'],
    [
      { GATEWAY_URL: 'http://host', GATEWAY_KEY_FILE: '/nowhere/key' },
      'GATEWAY_KEY_FILE /nowhere/key: cannot be read (ENOENT)',
    ],
    [
      { GATEWAY_URL: 'http://host', GATEWAY_KEY: 'secret', GATEWAY_KEY_FILE: '/etc/hostname' },
      'GATEWAY_KEY and GATEWAY_KEY_FILE: set only one of them',
    ],
  ])('%j is refused in one line that keeps secrets', (env, message) => {
    const refusal = catching(() => readProducerConfig(env));
    expect(refusal.message.slice(0, message.length)).toBe(message);
    expect(refusal.message).not.toMatch(/secret|\n/);
  });

  it('may name a gateway under a base path, or Redis, or both', () => {
    const both = { GATEWAY_URL: 'https://host/llm/', REDIS_URL: 'rediss://:pw@host:6380/1' };
    expect(readProducerConfig(both)).toMatchObject({ ...both, NAMESPACE: 'llm', ENTRY_BYTES: 65_536 });
  });

  it('may hold the key in a file, without the line end that an editor adds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-key-'));
    const path = join(folder, 'key');
    await writeFile(path, 'lls_12345678_abc\n');
    const env = { GATEWAY_URL: 'http://host', GATEWAY_KEY_FILE: path };
    expect(readProducerConfig(env).GATEWAY_KEY).toBe('lls_12345678_abc');
    await writeFile(path, 'a secret\nof two lines');
    expect(catching(() => readProducerConfig(env)).message).toMatch(
      /^GATEWAY_KEY_FILE .*\/key: must be a key [^\n]*$/,
    );
    await rm(folder, { recursive: true });
  });

  it('gives a host the same source each time', () => {
    expect(defaultSource('pipe')).toMatch(/^pipe-[0-9a-f]{4}$/);
    expect(defaultSource('pipe')).toBe(defaultSource('pipe'));
  });
});
