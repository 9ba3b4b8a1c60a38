// A proxy that TRUST_PROXY does not name is noticed, since limits and the audit then take all its clients for one.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';

let gateway: TestGateway | undefined;
afterEach(() => gateway?.close());

/** The lines that three requests through a proxy leave. */
async function warnings(env: Record<string, string>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }) as Logger;
  gateway = await openGateway({ AUTH: 'off', ...env }, {}, undefined, logger);
  for (let i = 0; i < 3; i++)
    await (await fetch(`${gateway.url}/healthz`, { headers: { 'x-forwarded-for': '203.0.113.9' } })).text();
  return lines.filter(({ msg }) => /X-Forwarded-For/.test(`${msg}`));
}

describe('a request through a proxy', () => {
  it.each([
    ['TRUST_PROXY names another', { TRUST_PROXY: '10.0.0.1' }],
    ['only PUBLIC_URL says that there is one', { PUBLIC_URL: 'https://logs.example.com' }],
  ])('is one warning with the address of the proxy where %s', async (_where, env) => {
    expect(await warnings(env)).toMatchObject([{ level: 40, peer: '127.0.0.1' }]);
  });

  it.each([
    ['TRUST_PROXY names it', { TRUST_PROXY: 'loopback', PUBLIC_URL: 'https://logs.example.com' }],
    ['nothing says that there is one', {}],
  ])('is no warning where %s', async (_where, env) => {
    expect(await warnings(env)).toEqual([]);
  });
});
