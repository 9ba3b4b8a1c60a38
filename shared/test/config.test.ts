// The environment becomes typed, frozen values, or one clear line for each variable that is wrong, without any secret.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startProcess } from '../../test-support/process.ts';
import { brokerVariables, flag, list, readConfig, whole } from '../src/config.ts';
import { CodedError } from '../src/errors.ts';

const shape = {
  ...brokerVariables,
  PORT: whole(8000, 0, 65_535),
  MOCK: flag(true),
  HOSTS: list('localhost', 'must be names of a-z, separated by commas', (names) =>
    names.every((name) => /^[a-z]+$/.test(name)),
  ),
  API_KEY: z.string().min(10, 'must have 10 characters').optional(),
};

function complaint(env: Record<string, string>): string {
  try {
    readConfig(shape, env);
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
    expect((error as CodedError).code).toBe('invalid_config');
    return (error as Error).message;
  }
  return '';
}

describe('readConfig', () => {
  it('has a default for everything, and an empty value counts as unset', () => {
    const config = readConfig(shape, {});
    expect(config).toMatchObject({
      PORT: 8000,
      MOCK: true,
      HOSTS: ['localhost'],
      NAMESPACE: 'llm',
      LOG_LEVEL: 'info',
    });
    expect(config.REDIS_URL).toBeUndefined();
    expect(readConfig(shape, { PORT: '', MOCK: '', REDIS_URL: '' })).toEqual(config);
  });

  it('gives typed values, and no variable that the schema does not name', () => {
    expect(
      readConfig(shape, {
        PORT: '81',
        MOCK: 'no',
        HOSTS: ' a, b ,,c',
        REDIS_URL: 'rediss://u:p@h:6380/1',
        PATH: '/bin',
      }),
    ).toEqual({
      PORT: 81,
      MOCK: false,
      HOSTS: ['a', 'b', 'c'],
      REDIS_URL: 'rediss://u:p@h:6380/1',
      NAMESPACE: 'llm',
      LOG_LEVEL: 'info',
      PRODUCTION: false,
      ENTRY_BYTES: 65_536,
    });
  });

  it('cannot be changed afterwards', () => {
    const config = readConfig(shape, {}) as { PORT: number };
    expect(() => {
      config.PORT = 1;
    }).toThrow(TypeError);
  });

  it.each(['true', 'True', 'TRUE', '1', 'yes', 'on'])('takes %s as on', (word) => {
    expect(readConfig(shape, { MOCK: word }).MOCK).toBe(true);
  });

  it.each(['false', 'False', '0', 'no', 'OFF'])('takes %s as off', (word) => {
    expect(readConfig(shape, { MOCK: word }).MOCK).toBe(false);
  });

  it.each([
    ['PORT', '70000', /PORT is "70000": .*65535/],
    ['PORT', 'http', /PORT is "http": /],
    ['PORT', '80.5', /PORT is "80.5": /],
    ['PORT', ' ', /PORT is " ": must be a whole number from 0 to 65535$/],
    ['PORT', '-1', /PORT is "-1": must be a whole number from 0 to 65535$/],
    ['PORT', '0x10', /PORT is "0x10": must be a whole number from 0 to 65535$/],
    ['HOSTS', 'a,b c', /HOSTS is "a,b c": must be names of a-z, separated by commas$/],
    ['MOCK', 'maybe', /MOCK is "maybe": must be one of true, false, 1, 0, yes, no, on, off$/],
    [
      'LOG_LEVEL',
      'loud',
      /LOG_LEVEL is "loud": must be one of trace, debug, info, warn, error, fatal, silent$/,
    ],
    ['NAMESPACE', 'a b', /NAMESPACE is "a b": must be 1 to 40 of a-z 0-9 _ -/],
    ['REDIS_URL', 'localhost:6379', /REDIS_URL: must look like redis:\/\//],
    ['REDIS_URL', 'http://localhost', /REDIS_URL: must look like redis:\/\//],
    ['REDIS_URL', 'redis://localhost/abc', /REDIS_URL: must look like redis:\/\//],
    ['REDIS_URL', 'redis://localhost/-1', /REDIS_URL: must look like redis:\/\//],
    ['REDIS_URL', 'redis://localhost/1/2', /REDIS_URL: must look like redis:\/\//],
    ['REDIS_URL', 'redis://localhost?db=3', /REDIS_URL: must look like redis:\/\//],
    ['ENTRY_BYTES', '2048', /ENTRY_BYTES is "2048": .*4096/],
  ])('says what is wrong with %s=%s and what is allowed, on one line', (name, value, message) => {
    expect(complaint({ [name]: value })).toMatch(message);
    expect(complaint({ [name]: value })).not.toContain('\n');
  });

  it('names every variable that is wrong', () => {
    expect(complaint({ PORT: 'x', LOG_LEVEL: 'y' }).split('\n')).toHaveLength(2);
  });

  it('never repeats a value that may hold a secret', () => {
    const said = complaint({ API_KEY: 'sk-hush', REDIS_URL: 'http://user:hush@host' });
    expect(said).toContain('API_KEY: must have 10 characters');
    expect(said).not.toContain('hush');
  });
});

describe('a .env file', () => {
  const program = `
    import { loadDotEnv } from ${JSON.stringify(new URL('../src/config.ts', import.meta.url).href)};
    loadDotEnv();
    console.log([process.env.LOG_LEVEL, process.env.PORT].join());`;
  const run = async (env: Record<string, string>, file?: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'llm-streamer-env-'));
    try {
      if (file !== undefined) writeFileSync(join(dir, '.env'), file);
      const child = startProcess(['--input-type=module', '-e', program], { cwd: dir, env });
      expect(await child.exited).toEqual({ code: 0, signal: null });
      return child.stdout.trim();
    } finally {
      rmSync(dir, { recursive: true });
    }
  };

  it('is read if there is one, and a variable that is set wins over it', async () => {
    expect(await run({ PORT: '81' }, 'LOG_LEVEL=debug\nPORT=99\n')).toBe('debug,81');
  });

  it('may be missing', async () => {
    expect(await run({ PORT: '81' })).toBe(',81');
  });
});
