// The gateway's variables: defaults, and one line for each that is wrong.
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { describe, expect, it } from 'vitest';
import { adoptedChannels, readGatewayConfig, redisCommand, trustedProxies } from '../src/config.ts';

const failure = (env: Record<string, string>): CodedError => {
  try {
    readGatewayConfig(env);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('it was taken');
};

describe('the configuration', () => {
  it('has the documented defaults, and cannot be changed', () => {
    const config = readGatewayConfig({});
    expect(config).toMatchObject({
      HOST: '127.0.0.1',
      PORT: 8_000,
      BASE_PATH: '',
      SSE_KEEPALIVE: 30_000,
      SSE_RETRY: 3_000,
      SSE_LIFETIME: 0,
      MAX_CONNECTIONS: 20_000,
      RETENTION_ENTRIES: 10_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
    expect(readGatewayConfig({ PORT: '' }).PORT).toBe(8_000);
  });

  it.each([
    ['PORT', '70000'],
    ['PORT', 'http'],
    ['PORT', '80.5'],
    ['BASE_PATH', 'logs'],
    ['BASE_PATH', '/logs/'],
    ['SSE_KEEPALIVE', '0'],
    ['NAMESPACE', 'UPPER'],
    ['LOG_LEVEL', 'loud'],
    ['TRUST_PROXY', 'everybody'],
    ['TRUST_PROXY', '10.0.0.0/64'],
    ['TRUST_PROXY', '10.0.0.1,'],
    ['CORS_ORIGINS', 'https://board.example/'],
    ['CORS_ORIGINS', 'https://board.example/logs'],
    ['CORS_ORIGINS', 'https://ok.example,board.example'],
    ['CORS_ORIGINS', 'https://Board.example'],
    ['CORS_ORIGINS', 'https://board.example:443'],
    ['CORS_ORIGINS', 'https://*.example'],
    ['CORS_ORIGINS', 'null'],
    ['ALLOWED_HOSTS', 'https://logs.example'],
    ['ALLOWED_HOSTS', 'logs.example/logs'],
    ['ALLOWED_HOSTS', '*.example'],
    ['ALLOWED_HOSTS', 'logs.example:http'],
    ['ALLOWED_HOSTS', '[logs]'],
    ['ADOPT_CHANNELS', 'logs*,a b'],
    ['ADOPT_CHANNELS', 'logs*,none'],
    ['ADOPT_CHANNELS', ','],
    ['PORT', ' '],
    ['USE_LLM_MOCK', 'perhaps'],
    ['RATE_LIMIT_PER_SECOND', ' '],
  ])('%s=%s is refused by name, with what it was', (name, value) => {
    const { code, message } = failure({ [name]: value });
    expect(code).toBe('invalid_config');
    expect(message).toMatch(
      new RegExp(`^${name} is ${JSON.stringify(value).replaceAll(/[.*[\]]/g, '\\$&')}: .+`),
    );
    expect(message).not.toContain('\n');
  });

  it('names every wrong variable on a line of its own, and shows no secret', () => {
    const { message } = failure({ PORT: 'x', REDIS_URL: 'http://user:hunter2@host' });
    expect(message.split('\n').map((text) => text.split(/[ :]/)[0])).toEqual(
      expect.arrayContaining(['PORT', 'REDIS_URL']),
    );
    expect(message).not.toContain('hunter2');
  });

  it('trusts the proxies it names, none by default', () => {
    expect(trustedProxies(readGatewayConfig({}))).toBe(false);
    expect(trustedProxies(readGatewayConfig({ TRUST_PROXY: 'true' }))).toBe(true);
    expect(trustedProxies(readGatewayConfig({ TRUST_PROXY: 'loopback, 10.0.0.0/8,fd00::/8' }))).toEqual([
      'loopback',
      '10.0.0.0/8',
      'fd00::/8',
    ]);
  });

  it('adopts by default what is conventional, and nothing for none', () => {
    expect(adoptedChannels(readGatewayConfig({}))).toEqual(['logs*', 'events*']);
    expect(adoptedChannels(readGatewayConfig({ ADOPT_CHANNELS: 'none' }))).toEqual([]);
  });

  it('takes origins, hosts with or without a port, and * for any', () => {
    const { CORS_ORIGINS, ALLOWED_HOSTS } = readGatewayConfig({
      CORS_ORIGINS: 'https://board.example, http://localhost:5173,http://[::1]:8080,chrome-extension://abc',
      ALLOWED_HOSTS: 'Logs.example,logs.example:8000,10.0.0.7,fe80::1,[fe80::1]:8000,gateway_1',
    });
    expect(CORS_ORIGINS).toHaveLength(4);
    expect(ALLOWED_HOSTS).toHaveLength(6);
    expect(readGatewayConfig({ CORS_ORIGINS: '*', ALLOWED_HOSTS: '*' })).toMatchObject({
      CORS_ORIGINS: ['*'],
      ALLOWED_HOSTS: ['*'],
    });
  });

  it('gives runs and conversations retentions of their own', () => {
    const { default: usual, prefixes } = retentionPolicy(readGatewayConfig({ RETENTION_SECONDS: '60' }));
    expect(usual.idleMs).toBe(60_000);
    expect(prefixes.map(({ prefix, idleMs }) => [prefix, idleMs / 3_600_000])).toEqual([
      ['runs:', 6],
      ['conversations:', 720],
    ]);
  });
});

describe('the shell command for Redis', () => {
  it.each([
    ['redis://localhost', 'redis-cli'],
    ['redis://127.0.0.1:6379/2', 'redis-cli'],
    ['redis://127.0.0.1:6390', 'redis-cli -p 6390'],
    ['redis://[::1]:6390', 'redis-cli -h ::1 -p 6390'],
    ['rediss://ada:secret@localhost:6390', 'redis-cli -p 6390 --tls --user ada --askpass'],
  ])('of %s is %s', (REDIS_URL, command) => {
    expect(redisCommand(readGatewayConfig({ REDIS_URL }))).toBe(command);
  });

  it('is not known of another machine, and never told', () => {
    expect(redisCommand(readGatewayConfig({ REDIS_URL: 'redis://redis.internal:6379' }))).toBeUndefined();
    expect(redisCommand(readGatewayConfig({}))).toBeUndefined();
  });

  it('is what REDIS_CLI says, where it says anything', () => {
    const REDIS_CLI = 'docker compose exec redis redis-cli';
    expect(redisCommand(readGatewayConfig({ REDIS_URL: 'redis://redis', REDIS_CLI }))).toBe(REDIS_CLI);
    expect(failure({ REDIS_CLI: 'a\nb' }).message).toContain('REDIS_CLI');
  });
});
