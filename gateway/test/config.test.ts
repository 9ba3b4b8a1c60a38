// The gateway's variables: defaults, and one line for each that is wrong.
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { describe, expect, it } from 'vitest';
import { adoptedChannels, readGatewayConfig, trustedProxies } from '../src/config.ts';

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
      SSE_KEEPALIVE_MS: 30_000,
      SSE_RETRY_MS: 3_000,
      SSE_LIFETIME_MS: 0,
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
    ['SSE_KEEPALIVE_MS', '0'],
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

  it.each([
    ['SSE_KEEPALIVE', 'SSE_KEEPALIVE_MS'],
    ['SSE_RETRY', 'SSE_RETRY_MS'],
    ['SSE_TIMEOUT', 'RUN_TIMEOUT_MS'],
  ] as const)(
    'takes %s as a second name of %s, which wins, and complains by the name that was set',
    (alias, name) => {
      expect(readGatewayConfig({ [alias]: '1234' })[name]).toBe(1_234);
      expect(readGatewayConfig({ [alias]: '1234', [name]: '' })[name]).toBe(1_234);
      expect(readGatewayConfig({ [alias]: '1234', [name]: '4321' })[name]).toBe(4_321);
      expect(failure({ [alias]: 'soon' }).message).toMatch(new RegExp(`^${alias} is "soon": must be`));
      expect(failure({ [alias]: '1234', [name]: 'soon' }).message).toMatch(
        new RegExp(`^${name} is "soon": must be`),
      );
    },
  );

  it('trusts the proxies it names, none by default', () => {
    expect(trustedProxies(readGatewayConfig({}))).toBe(false);
    expect(trustedProxies(readGatewayConfig({ AUTH: 'off', TRUST_PROXY: 'true' }))).toBe(true);
    expect(
      trustedProxies(readGatewayConfig({ AUTH: 'off', TRUST_PROXY: 'loopback, 10.0.0.0/8,fd00::/8' })),
    ).toEqual(['loopback', '10.0.0.0/8', 'fd00::/8']);
  });

  it('adopts by default what is conventional, and nothing for none', () => {
    expect(adoptedChannels(readGatewayConfig({}))).toEqual(['logs*', 'events*']);
    expect(adoptedChannels(readGatewayConfig({ ADOPT_CHANNELS: 'none' }))).toEqual([]);
  });

  it('takes origins, hosts with or without a port, and * for any', () => {
    const { CORS_ORIGINS, ALLOWED_HOSTS } = readGatewayConfig({
      CORS_ORIGINS: 'https://board.example, http://localhost:5173,http://[::1]:8080,chrome-extension://abc',
      AUTH: 'off',
      ALLOWED_HOSTS: 'Logs.example,logs.example:8000,10.0.0.7,fe80::1,[fe80::1]:8000,gateway_1',
    });
    expect(CORS_ORIGINS).toHaveLength(4);
    expect(ALLOWED_HOSTS).toHaveLength(6);
    expect(readGatewayConfig({ AUTH: 'off', CORS_ORIGINS: '*', ALLOWED_HOSTS: '*' })).toMatchObject({
      CORS_ORIGINS: ['*'],
      ALLOWED_HOSTS: ['*'],
    });
  });

  it('gives runs, spans and conversations retentions of their own', () => {
    const { default: usual, prefixes } = retentionPolicy(readGatewayConfig({ RETENTION_SECONDS: '60' }));
    expect(usual.idleMs).toBe(60_000);
    expect(prefixes.map(({ prefix, idleMs }) => [prefix, idleMs / 3_600_000])).toEqual([
      ['runs:', 6],
      ['traces:', 6],
      ['conversations:', 720],
    ]);
  });
});

it('a feed from replicas of a Cluster is refused', () => {
  const env = { REDIS_FEED: 'replica', REDIS_URL: 'redis+cluster://one:6379' };
  expect(() => readGatewayConfig(env)).toThrow(/^REDIS_FEED: replicas of a Cluster/);
});
