import { readConfig } from '@llm-streamer/shared/config.ts';
import { describe, expect, it } from 'vitest';
import { runVariables, Targets } from '../../src/runs/config.ts';

const lane = { name: 'llm-1', system: 'x' };
const targets = (env: Record<string, string>, secrets: Record<string, string> = {}) =>
  new Targets(readConfig(runVariables, env), (name) => secrets[name]);

describe('the environment of runs', () => {
  it('simulates by default and needs nothing', () => {
    const simulated = targets({});
    expect(simulated.of(lane)).toEqual({
      provider: 'simulated',
      baseUrl: 'http://simulated.invalid/v1',
      model: 'sim-1',
    });
    expect(simulated.complaint([lane])).toBeUndefined();
  });

  it('does not start without a key where the server asks for one, and says what to do', () => {
    expect(targets({ USE_LLM_MOCK: 'false' }).complaint([lane, { ...lane, name: 'llm-2' }])).toBe(
      'llm-1, llm-2: api.openai.com asks for a key and LLM_KEY is not set; set it, or USE_LLM_MOCK=true for simulated models',
    );
  });

  it('needs no key for a server on this machine', () => {
    const local = targets({
      USE_LLM_MOCK: 'false',
      LLM_BASE_URL: 'http://localhost:11434/v1/',
      LLM_MODEL: 'llama3',
    });
    expect(local.complaint([lane])).toBeUndefined();
    expect(local.of(lane)).toEqual({
      provider: 'ollama',
      baseUrl: 'http://localhost:11434/v1',
      model: 'llama3',
    });
  });

  it('lets each lane have a model, a server and a key of its own', () => {
    const mixed = targets({ USE_LLM_MOCK: 'false', LLM_KEY: 'default-key' }, { OTHER_KEY: 'other-key' });
    expect(mixed.of({ ...lane, model: 'gpt-x' })).toMatchObject({ model: 'gpt-x', key: 'default-key' });
    const other = { ...lane, base_url: 'https://openrouter.ai/api/v1', key_env: 'OTHER_KEY' };
    expect(mixed.of(other)).toMatchObject({ provider: 'openrouter', key: 'other-key' });
  });

  it('never sends the default key to another server', () => {
    const mixed = targets({ USE_LLM_MOCK: 'false', LLM_KEY: 'default-key' });
    const other = { ...lane, base_url: 'https://openrouter.ai/api/v1' };
    expect(mixed.of(other)).not.toHaveProperty('key');
    expect(mixed.complaint([other])).toContain('key_env');
    expect(mixed.complaint([{ ...other, key_env: 'NOT_SET' }])).toContain('NOT_SET is not set');
  });

  it.each(['https://me:hush@example.com/v1', 'https://:hush@example.com/v1', 'https://hush@example.com/v1'])(
    'refuses %s, which holds a name or password, without repeating it',
    (url) => {
      const start = () => targets({ LLM_BASE_URL: url });
      expect(start).toThrow('must hold no user name');
      expect(start).not.toThrow('hush');
    },
  );

  it.each(['sk-…', 'sk-a\nb', 'sk-a b', '   '])('refuses the key %j, which no request can carry', (key) => {
    const rule = 'must be a key as its service gave it: visible ASCII characters, no blanks';
    expect(() => targets({ LLM_KEY: key })).toThrow(new RegExp(`^LLM_KEY: ${rule}$`));
    const other = { ...lane, base_url: 'https://openrouter.ai/api/v1', key_env: 'OTHER_KEY' };
    const named = targets({ USE_LLM_MOCK: 'false' }, { OTHER_KEY: key });
    expect(named.complaint([other])).toBe(`llm-1: OTHER_KEY ${rule}`);
  });

  it.each([
    [{ LLM_BASE_URL: 'https://h/v1?key=x' }, 'LLM_BASE_URL: must end with its path, without ? or #'],
    [{ LLM_BASE_URL: 'https://h/v1#x' }, 'LLM_BASE_URL: must end with its path, without ? or #'],
    [{ LLM_BASE_URL: 'foo' }, 'LLM_BASE_URL: must look like https://api.example.com/v1'],
    [{ LLM_BASE_URL: 'ftp://h/v1' }, 'LLM_BASE_URL: must look like https://api.example.com/v1'],
    [{ LLM_MODEL: 'x'.repeat(201) }, 'must be a text of 1 to 200 characters'],
    [{ RATE_LIMIT_PER_SECOND: 'x' }, 'RATE_LIMIT_PER_SECOND is "x": must be a number from 0 to 10000'],
    [{ RATE_LIMIT_PER_SECOND: '-1' }, 'RATE_LIMIT_PER_SECOND is "-1": must be a number from 0 to 10000'],
  ])('refuses %j and says what is allowed', (env, message) => {
    expect(() => targets(env as Record<string, string>)).toThrow(message);
  });
});
