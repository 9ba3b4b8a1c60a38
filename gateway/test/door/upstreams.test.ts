import { expect, it } from 'vitest';
import { Upstreams } from '../../src/door/upstreams.ts';

const OTHERWISE = { provider: 'simulated', baseUrl: 'http://simulated.invalid/v1' };
const GROQ = { name: 'groq', base_url: 'https://api.groq.com/openai/v1/', key_env: 'GROQ_KEY' };
const LOCAL = { name: 'default', base_url: 'http://127.0.0.1:11434/v1' };
const secret = (name: string) => (name === 'GROQ_KEY' ? 'gsk-1' : undefined);
const choose = (named: (typeof GROQ | typeof LOCAL)[], model: string) =>
  new Upstreams(() => named, OTHERWISE, secret).choose(model);

it('a model that begins with the name of an upstream goes there without it', () => {
  expect(choose([GROQ, LOCAL], 'groq/llama/3')).toEqual({
    upstream: { provider: 'groq', baseUrl: 'https://api.groq.com/openai/v1', key: 'gsk-1' },
    model: 'llama/3',
  });
});

it.each(['llama3', 'openai/gpt-4o', 'groqs/x', '', 'groq'])(
  '%j goes to the default upstream as it is',
  (model) => {
    const upstream = { provider: 'ollama', baseUrl: 'http://127.0.0.1:11434/v1' };
    expect(choose([GROQ, LOCAL], model)).toEqual({ upstream, model });
  },
);

it('a service that no well-known name fits is called by the name of its upstream', () => {
  const own = { name: 'own', base_url: 'http://127.0.0.1:9000/v1', key_env: 'NONE' };
  expect(choose([own], 'own/m').upstream.provider).toBe('own');
  expect(choose([{ ...own, name: 'default' }], 'm').upstream.provider).toBe('127.0.0.1');
});

it('without a default upstream, the service of the runs is it', () => {
  expect(choose([GROQ], 'gpt-x')).toEqual({ upstream: OTHERWISE, model: 'gpt-x' });
});

it('no model leads to an address that nobody has named', () => {
  for (const model of ['http://169.254.169.254/x', '//evil.example/x', '../x', 'groq@evil/x'])
    expect(choose([GROQ], model).upstream).toEqual(OTHERWISE);
});
