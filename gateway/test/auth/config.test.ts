// Modes: without AUTH the gateway is open only where nobody else can come, and a start that is not says both ways out in one line.
import { describe, expect, it } from 'vitest';
import { startProcess } from '../../../test-support/process.ts';
import { readGatewayConfig } from '../../src/config.ts';

describe('AUTH', () => {
  it.each([
    ['nothing is set', {}],
    ['HOST is loopback', { HOST: '127.0.0.2' }],
    ['HOST is loopback by name', { HOST: 'localhost' }],
    ['HOST is loopback of IPv6', { HOST: '::1' }],
    ['a container is published on loopback', { HOST: '0.0.0.0', PUBLISHED_HOST: '127.0.0.1' }],
    ['no proxy is trusted', { TRUST_PROXY: 'false' }],
  ])('43: unset is off where %s', (_where, env) => {
    expect(readGatewayConfig(env).AUTH).toBe('off');
  });

  const reachable: [Record<string, string>, string][] = [
    [{ HOST: '0.0.0.0' }, 'HOST is 0.0.0.0'],
    [{ HOST: '::' }, 'HOST is ::'],
    [{ HOST: '192.0.2.1' }, 'HOST is 192.0.2.1'],
    [{ PUBLISHED_HOST: '0.0.0.0' }, 'PUBLISHED_HOST is 0.0.0.0'],
    [{ ALLOWED_HOSTS: 'logs.example' }, 'ALLOWED_HOSTS is set'],
    [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY is set'],
    [{ BASE_PATH: '/logs' }, 'BASE_PATH is set'],
    [{ PUBLIC_URL: 'https://logs.example' }, 'PUBLIC_URL is set'],
  ];
  it.each(reachable)('43: unset stops the start with %j', (env, way) => {
    expect(() => readGatewayConfig(env)).toThrow(
      `AUTH: ${way}, so others can reach this gateway; set AUTH=on, or AUTH=off if everybody may read and write everything`,
    );
    for (const AUTH of ['on', 'off', 'report']) expect(readGatewayConfig({ ...env, AUTH }).AUTH).toBe(AUTH);
  });

  it('43: the process ends with that one line', async () => {
    const gateway = startProcess(['gateway/src/main.ts'], { env: { HOST: '0.0.0.0', PORT: '0' } });
    expect(await gateway.exited).toMatchObject({ code: 1 });
    expect(gateway.output).toMatch(
      /^gateway: AUTH: HOST is 0\.0\.0\.0, [^\n]*AUTH=on[^\n]*AUTH=off[^\n]*\n$/,
    );
  });

  it.each([
    [{ BASE_PATH: '/logs' }, 'AUTH is off and BASE_PATH is set: whoever reaches this gateway'],
    [{}, 'AUTH is off: whoever reaches this gateway'],
  ])('43: AUTH=off with %j says in the log that everybody may come', async (reach, warning) => {
    const env = { ...reach, AUTH: 'off', PORT: '0', PRODUCTION: 'true' };
    const gateway = startProcess(['gateway/src/main.ts'], { env });
    await gateway.saw(warning);
    expect(await gateway.stop()).toMatchObject({ code: 0 });
  });

  it.each([
    ['AUTH', 'maybe'],
    ['AUTH_ANONYMOUS', 'audit:*'],
    ['AUTH_ANONYMOUS', 'runs:*'],
    ['AUTH_ANONYMOUS', 'a b'],
    ['PUBLIC_URL', 'logs.example'],
    ['PUBLIC_URL', 'https://logs.example/?x=1'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => readGatewayConfig({ [name]: value })).toThrow(new RegExp(`^${name}`));
  });
});
